"""SQL of documents' vectors (`db.vectors`), where a model embeds them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from psycopg.rows import DictRow

from providers.usage import Usage
from server.chat.repository.sessions import Connection

# A document of ten megabytes has some thirteen thousand pieces; what follows these is found by full text alone.
MOST_PIECES: Final = 2_000
# How long a process may be silent about a document before another one goes on with it.
LEASE_SECONDS: Final = 120


@dataclass(frozen=True)
class Unembedded:
    """A document of which some piece has no vector of the model, and how often it has failed."""

    document_id: UUID
    owner_id: UUID
    failures: int


# The second condition once more at the end: between the two somebody else may have taken it.
_CLAIM: Final = """
INSERT INTO chat_vectors.documents AS known (document_id, owner_id, model, due_at)
SELECT d.id, d.owner_id, %(model)s, now() + make_interval(secs => %(lease)s)
FROM chat.documents AS d
JOIN chat.sessions AS s ON s.id = d.session_id AND s.owner_id = d.owner_id
LEFT JOIN chat_vectors.documents AS v ON v.document_id = d.id AND v.owner_id = d.owner_id
WHERE s.closed_at IS NULL AND s.expires_at > %(now)s
  AND (v.document_id IS NULL OR v.model <> %(model)s OR (NOT v.is_done AND v.due_at <= now()))
ORDER BY d.created_at, d.id LIMIT 1 FOR UPDATE OF d SKIP LOCKED
ON CONFLICT (document_id, owner_id) DO UPDATE SET
  model = excluded.model, is_done = false, due_at = excluded.due_at, error = NULL,
  failures = CASE WHEN known.model = excluded.model THEN known.failures ELSE 0 END
  WHERE known.model <> excluded.model OR (NOT known.is_done AND known.due_at <= now())
RETURNING known.document_id, known.owner_id, known.failures
"""


async def claim(connection: Connection, model: str, now: datetime) -> Unembedded | None:
    """Take a document of a living session that lacks vectors of this model, under the system role; None: none does."""
    cursor = await connection.execute(_CLAIM, {"model": model, "lease": LEASE_SECONDS, "now": now})
    row = await cursor.fetchone()
    return Unembedded(**row) if row else None


async def lacking(connection: Connection, document_id: UUID, model: str, limit: int) -> list[DictRow]:
    """Read the next pieces that have no vector of this model."""
    cursor = await connection.execute(
        """
        SELECT c.position, c.text FROM chat.document_chunks AS c
        WHERE c.document_id = %(document)s AND c.position <= %(most)s AND NOT EXISTS (
          SELECT FROM chat_vectors.chunks AS v WHERE v.document_id = c.document_id AND v.owner_id = c.owner_id
            AND v.position = c.position AND v.model = %(model)s)
        ORDER BY c.position LIMIT %(limit)s
        """,
        {"document": document_id, "most": MOST_PIECES, "model": model, "limit": limit},
    )
    return await cursor.fetchall()


async def keep(
    connection: Connection, document_id: UUID, model: str, positions: Sequence[int], vectors: Sequence[Sequence[float]]
) -> None:
    """Store pieces' vectors, in the place of another model's, and keep the document a while longer."""
    await connection.execute(
        """
        INSERT INTO chat_vectors.chunks (document_id, owner_id, position, session_id, model, dimensions, embedding)
        SELECT c.document_id, c.owner_id, c.position, c.session_id, %s, cardinality(found.vector::real[]),
               found.vector::real[]
        FROM unnest(%s::integer[], %s::text[]) AS found(position, vector)
        JOIN chat.document_chunks AS c ON c.document_id = %s AND c.position = found.position
        ON CONFLICT (document_id, owner_id, position) DO UPDATE SET
          model = excluded.model, dimensions = excluded.dimensions, embedding = excluded.embedding
        """,
        (model, list(positions), [_array(vector) for vector in vectors], document_id),
    )
    await connection.execute(
        "UPDATE chat_vectors.documents SET due_at = now() + make_interval(secs => %s) WHERE document_id = %s",
        (LEASE_SECONDS, document_id),
    )


async def finish(connection: Connection, document_id: UUID, model: str) -> None:
    """Note that all pieces have their vectors."""
    await connection.execute(
        "UPDATE chat_vectors.documents SET is_done = true, failures = 0, error = NULL"
        " WHERE document_id = %s AND model = %s",
        (document_id, model),
    )


async def give_back(connection: Connection, document_id: UUID) -> None:
    """Let others go on with a document at once."""
    await connection.execute("UPDATE chat_vectors.documents SET due_at = now() WHERE document_id = %s", (document_id,))


async def fail(connection: Connection, document_id: UUID, model: str, error: str, wait_seconds: float) -> None:
    """Note why a document has not all of its vectors, and when it is tried again."""
    await connection.execute(
        "UPDATE chat_vectors.documents SET failures = failures + 1, error = %s,"
        " due_at = now() + make_interval(secs => %s) WHERE document_id = %s AND model = %s",
        (error, wait_seconds, document_id, model),
    )


async def note(connection: Connection, owner_id: UUID, calls: Iterable[Usage]) -> None:
    """Record what calls of the model used."""
    for call in calls:
        await connection.execute(
            "INSERT INTO platform.usage (user_id, role, model, input_tokens, output_tokens, latency_ms, failed)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (owner_id, call.role, call.model, call.input_tokens, call.output_tokens, call.latency_ms, call.failed),
        )


async def nearest(
    connection: Connection, session_id: UUID, model: str, vector: Sequence[float], limit: int
) -> list[DictRow]:
    """Read the pieces of a session whose vectors point the same way as a question's, nearest first."""
    cursor = await connection.execute(
        """
        SELECT n.document_id, d.filename, n.position, c.text
        FROM chat_vectors.nearest(%s, %s, %s::text::real[], %s) AS n
        JOIN chat.documents AS d ON d.id = n.document_id
        JOIN chat.document_chunks AS c
          ON c.document_id = n.document_id AND c.owner_id = d.owner_id AND c.position = n.position
        WHERE n.distance < 1 ORDER BY n.distance, d.created_at, n.position
        """,
        (session_id, model, _array(vector), limit),
    )
    return await cursor.fetchall()


def _array(vector: Sequence[float]) -> str:
    """Return a vector as PostgreSQL writes an array; quicker than the driver, which looks at each number."""
    return f"{{{orjson.dumps(vector)[1:-1].decode()}}}"
