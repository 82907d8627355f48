"""SQL of documents and of finding passages in them, within a transaction that acts for their owner (G39)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow

from server.chat.repository.sessions import Connection, Session
from tools.documents.model import Parsed
from tools.documents.terms import index_of, query_of


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
    parsed: Parsed,
    size_bytes: int,
    pieces: Sequence[str],
    indexes: Sequence[str],
    at: datetime,
) -> None:
    """Write a document and its chunks, each with what it is found by (`indexes_of`)."""
    await connection.execute(
        "INSERT INTO chat.documents (id, owner_id, session_id, filename, kind, size_bytes, characters, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (document_id, session.owner_id, session.id, filename, parsed.kind, size_bytes, len(parsed.text), at),
    )
    await connection.execute(
        """
        INSERT INTO chat.document_chunks (document_id, owner_id, session_id, position, text, tokens)
        SELECT %s, %s, %s, piece.position, piece.text, piece.tokens::tsvector
        FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS piece(text, tokens, position)
        """,
        (document_id, session.owner_id, session.id, list(pieces), list(indexes)),
    )


def indexes_of(filename: str, pieces: Sequence[str]) -> list[str]:
    """Return what pieces are found by: their own terms, and the file's name. It takes time: not for the event loop."""
    return [index_of(f"{piece}\n{filename}") for piece in pieces]


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
# between equals. `ts_rank_cd` is below 1 with this normalisation.
_SEARCH: Final = """
WITH chunks AS MATERIALIZED (
  SELECT document_id, position, text, tokens FROM chat.document_chunks
  WHERE session_id = %(session)s AND tokens @@ %(any)s::tsquery),
total AS (SELECT count(*) AS n FROM chat.document_chunks WHERE session_id = %(session)s),
weights AS MATERIALIZED (
  SELECT term::tsquery AS term, ln(1 + ((SELECT n FROM total) - found.n + 0.5) / (found.n + 0.5)) AS weight
  FROM unnest(%(terms)s::text[]) AS term
  CROSS JOIN LATERAL (SELECT count(*) AS n FROM chunks WHERE tokens @@ term::tsquery) AS found),
scored AS (
  SELECT c.*, (SELECT sum(weight) FROM weights WHERE c.tokens @@ term) AS rarity FROM chunks AS c)
SELECT s.document_id, d.filename, s.position, s.text,
       (s.rarity + 0.5 * ts_rank_cd(s.tokens, %(any)s::tsquery, 32))::float8 AS score
FROM scored AS s JOIN chat.documents AS d ON d.id = s.document_id
ORDER BY score DESC, d.created_at, s.position LIMIT %(limit)s
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
