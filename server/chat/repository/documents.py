"""SQL of documents and of finding passages in them, within a transaction that acts for their owner (G39)."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow

from server.chat.repository.sessions import Connection, Session
from tools.documents.model import Prepared
from tools.documents.terms import query_of


async def count(connection: Connection, session_id: UUID) -> int:
    """Count a session's documents."""
    cursor = await connection.execute("SELECT count(*) AS n FROM chat.documents WHERE session_id = %s", (session_id,))
    row = await cursor.fetchone()
    return row["n"] if row else 0


async def insert(
    connection: Connection,
    session: Session,
    document_id: UUID,
    *,
    filename: str,
    document: Prepared,
    size_bytes: int,
    at: datetime,
) -> None:
    """Write a document and its chunks, each with what it is found by."""
    await connection.execute(
        "INSERT INTO chat.documents (id, owner_id, session_id, filename, kind, size_bytes, characters, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (document_id, session.owner_id, session.id, filename, document.kind, size_bytes, document.characters, at),
    )
    await connection.execute(
        """
        INSERT INTO chat.document_chunks (document_id, owner_id, session_id, position, text, tokens)
        SELECT %s, %s, %s, piece.position, piece.text, piece.tokens::tsvector
        FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS piece(text, tokens, position)
        """,
        (document_id, session.owner_id, session.id, document.chunks, document.indexes),
    )


async def outline(connection: Connection, session_id: UUID, beginning: int) -> list[DictRow]:
    """Read a session's documents in the order of their upload, with their first characters."""
    cursor = await connection.execute(
        """
        SELECT d.id, d.filename, d.characters, left(c.text, %s) AS beginning FROM chat.documents AS d
        JOIN chat.document_chunks AS c ON c.document_id = d.id AND c.owner_id = d.owner_id AND c.position = 1
        WHERE d.session_id = %s ORDER BY d.created_at, d.id
        """,
        (beginning, session_id),
    )
    return await cursor.fetchall()


# How rare each term is among the session's chunks (as in BM25) decides; how often and how close together they stand,
# between equals. `ts_rank_cd` is below 1 with this normalisation, and computed for few.
_SEARCH: Final = """
WITH hits AS MATERIALIZED (
  SELECT document_id, position, ARRAY(
    SELECT n FROM unnest(%(terms)s::text[]::tsquery[]) WITH ORDINALITY AS t(term, n) WHERE c.tokens @@ term) AS terms
  FROM chat.document_chunks AS c WHERE session_id = %(session)s AND tokens @@ %(any)s::tsquery),
total AS (SELECT count(*) AS n FROM chat.document_chunks WHERE session_id = %(session)s),
weights AS MATERIALIZED (
  SELECT n, ln(1 + ((SELECT n FROM total) - count(*) + 0.5) / (count(*) + 0.5)) AS weight
  FROM hits CROSS JOIN LATERAL unnest(terms) AS n GROUP BY n),
best AS MATERIALIZED (
  SELECT document_id, position, (SELECT sum(weight) FROM weights WHERE n = ANY(terms)) AS rarity
  FROM hits ORDER BY rarity DESC, document_id, position LIMIT %(limit)s + 50)
SELECT b.document_id, d.filename, b.position, c.text,
       (b.rarity + 0.5 * ts_rank_cd(c.tokens, %(any)s::tsquery, 32))::float8 AS score
FROM best AS b JOIN chat.documents AS d ON d.id = b.document_id
JOIN chat.document_chunks AS c
  ON c.document_id = b.document_id AND c.owner_id = d.owner_id AND c.position = b.position
ORDER BY score DESC, d.created_at, b.position LIMIT %(limit)s
"""


async def search(connection: Connection, session_id: UUID, query: str, limit: int) -> list[DictRow]:
    """Read the chunks of a session that fit a question, best first; none where it has no terms."""
    # They hold letters and digits only, so that quotes are enough.
    found = [f"'{term}'" for term in query_of(query)]
    if not found:
        return []
    cursor = await connection.execute(
        _SEARCH, {"session": session_id, "terms": found, "any": " | ".join(found), "limit": limit}
    )
    return await cursor.fetchall()
