"""SQL of what was said, within a transaction that acts for the session's owner and, to write, holds the session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from nodes.meta_workflow.decisions import decision_of
from server.chat.repository.sessions import Connection, Session
from server.runs.model import Idempotency

# A turn is a message and its answer.
_TURN: Final = """
SELECT m.turn_id, m.session_id, m.mode, m.content, m.tags, m.request_sha256,
       a.content AS answer_text, a.answer, a.mode AS answer_mode
FROM chat.messages AS m LEFT JOIN chat.messages AS a
  ON a.session_id = m.session_id AND a.owner_id = m.owner_id AND a.turn_id = m.turn_id AND a.role = 'assistant'
WHERE m.role = 'user' AND m.owner_id = %s
"""


@dataclass(frozen=True, kw_only=True)
class StoredTurn:
    """A message of the user's, and its answer where there is one."""

    turn_id: UUID
    session_id: UUID
    mode: str
    content: str
    tags: list[str]
    request_sha256: bytes | None
    answer_text: str | None
    answer: dict[str, Any] | None
    answer_mode: str | None

    @property
    def is_answered(self) -> bool:
        """Whether its answer is stored."""
        return self.answer_text is not None

    def is_cut_off_decision(self, message: str) -> bool:
        """Tell whether it is this decision about a draft, and has no answer."""
        return not self.is_answered and (self.mode, self.content) == ("deep", message) and bool(decision_of(message))

    def asks(self, message: str, mode: str, tags: Sequence[str]) -> bool:
        """Tell whether it is the same question; a decision about a draft is one in either mode (G34)."""
        if self.content != message:
            return False
        if self.mode == "deep" and decision_of(message):
            return True
        return self.mode == mode and self.tags == list(tags)


async def latest(connection: Connection, session: Session) -> StoredTurn | None:
    """Read a session's newest turn."""
    return await _turn(
        connection,
        _TURN + " AND m.session_id = %s ORDER BY m.number DESC LIMIT 1",
        (session.owner_id, session.id),
    )


async def turn(connection: Connection, session: Session, turn_id: UUID) -> StoredTurn | None:
    """Read one turn of a session."""
    return await _turn(
        connection,
        _TURN + " AND m.session_id = %s AND m.turn_id = %s",
        (session.owner_id, session.id, turn_id),
    )


async def by_key(connection: Connection, owner_id: UUID, key: str) -> StoredTurn | None:
    """Read the turn that was asked under an idempotency key."""
    return await _turn(connection, _TURN + " AND m.request_key = %s", (owner_id, key))


async def _turn(connection: Connection, statement: str, parameters: tuple[object, ...]) -> StoredTurn | None:
    cursor = await connection.execute(statement.encode(), parameters)
    row = await cursor.fetchone()
    return StoredTurn(**row) if row else None


async def forget_old_key(connection: Connection, owner_id: UUID, key: str, before: datetime) -> None:
    """Free a key whose day is over."""
    await connection.execute(
        "UPDATE chat.messages SET request_key = NULL WHERE owner_id = %s AND request_key = %s AND created_at < %s",
        (owner_id, key, before),
    )


_INSERT: Final = """
INSERT INTO chat.messages
  (session_id, owner_id, number, turn_id, role, mode, content, tags, answer, is_draft, saved_turn,
   request_key, request_sha256, created_at)
SELECT %(session_id)s, %(owner_id)s, coalesce(max(number), 0) + 1, %(turn_id)s, %(role)s, %(mode)s, %(content)s,
       %(tags)s, %(answer)s, %(is_draft)s, %(saved_turn)s, %(request_key)s, %(request_sha256)s, %(at)s
FROM chat.messages WHERE session_id = %(session_id)s AND owner_id = %(owner_id)s
"""


async def insert_question(
    connection: Connection,
    session: Session,
    turn_id: UUID,
    *,
    mode: str,
    content: str,
    tags: Sequence[str],
    idempotency: Idempotency | None,
    at: datetime,
) -> None:
    """Write what the user said, under the session's next number."""
    await connection.execute(
        _INSERT,
        _row(session, turn_id, "user", mode, content, at)
        | {
            "tags": Jsonb(list(tags)),
            "request_key": idempotency.key if idempotency else None,
            "request_sha256": idempotency.request_sha256 if idempotency else None,
        },
    )


async def set_key(connection: Connection, session: Session, turn_id: UUID, idempotency: Idempotency) -> None:
    """Let a question that is asked once more be known by the key of the newest request."""
    await connection.execute(
        "UPDATE chat.messages SET request_key = %s, request_sha256 = %s"
        " WHERE session_id = %s AND owner_id = %s AND turn_id = %s AND role = 'user'",
        (idempotency.key, idempotency.request_sha256, session.id, session.owner_id, turn_id),
    )


async def insert_answer(
    connection: Connection,
    session: Session,
    turn_id: UUID,
    *,
    mode: str,
    content: str,
    answer: dict[str, Any] | None,
    saved_turn: str | None = None,
    at: datetime,
) -> None:
    """Write the answer of a turn, under the session's next number; one that has its answer keeps it."""
    await connection.execute(
        _INSERT + " ON CONFLICT ON CONSTRAINT messages_turn DO NOTHING",
        _row(session, turn_id, "assistant", mode, content, at)
        | {"answer": Jsonb(answer), "is_draft": is_draft(answer), "saved_turn": saved_turn},
    )


def _row(session: Session, turn_id: UUID, role: str, mode: str, content: str, at: datetime) -> dict[str, Any]:
    return {
        "session_id": session.id,
        "owner_id": session.owner_id,
        "turn_id": turn_id,
        "role": role,
        "mode": mode,
        # PostgreSQL's text cannot hold it, and a model may answer anything.
        "content": content.replace("\0", ""),
        "at": at,
        "tags": Jsonb([]),
        "answer": None,
        "is_draft": False,
        "saved_turn": None,
        "request_key": None,
        "request_sha256": None,
    }


async def replace_answer(
    connection: Connection, session: Session, saved_turn: str, content: str, answer: dict[str, Any]
) -> bool:
    """Put another answer in the place of the one that the workflow saved under this id; False where there is none."""
    cursor = await connection.execute(
        """
        UPDATE chat.messages SET content = %s, answer = %s, is_draft = %s WHERE id = (
          SELECT id FROM chat.messages WHERE session_id = %s AND owner_id = %s AND saved_turn = %s
          ORDER BY number DESC LIMIT 1)
        """,
        (content.replace("\0", ""), Jsonb(answer), is_draft(answer), session.id, session.owner_id, saved_turn),
    )
    return cursor.rowcount > 0


def is_draft(answer: dict[str, Any] | None) -> bool:
    """Tell whether an answer waits for a decision (G34)."""
    return bool(answer and answer.get("status") == "awaiting_decision")


async def recent(connection: Connection, session: Session, turns: int) -> list[dict[str, str]]:
    """Return the last answered turns as role and content, oldest first; of a deep answer its text alone (G36).

    Of what is longer, the first 2,000 characters: all of it is sent with each run.
    """
    cursor = await connection.execute("SELECT chat.past(%s, %s, %s) AS past", (session.id, session.owner_id, turns))
    row = await cursor.fetchone()
    return row["past"] if row else []


async def page(connection: Connection, session: Session, *, limit: int, offset: int) -> tuple[list[DictRow], int]:
    """Read messages of a session by their numbers, and count all."""
    cursor = await connection.execute(
        "SELECT number, role, content, mode, tags, answer, created_at FROM chat.messages"
        " WHERE session_id = %s AND owner_id = %s AND number > %s ORDER BY number LIMIT %s",
        (session.id, session.owner_id, offset, limit),
    )
    rows = await cursor.fetchall()
    cursor = await connection.execute(
        # Without gaps: the last number is how many there are.
        "SELECT coalesce(max(number), 0) AS total FROM chat.messages WHERE session_id = %s AND owner_id = %s",
        (session.id, session.owner_id),
    )
    counted = await cursor.fetchone()
    return rows, counted["total"] if counted else 0


@dataclass(frozen=True, kw_only=True)
class TurnRun:
    """The newest run of a turn."""

    id: UUID
    status: str
    output: dict[str, Any] | None


async def run_of(connection: Connection, thread_id: UUID, turn_id: UUID) -> TurnRun | None:
    """Return the newest run that a turn was given."""
    cursor = await connection.execute(
        "SELECT id, status, output FROM platform.runs"
        " WHERE thread_id = %s AND request->'metadata'->>'turn_id' = %s ORDER BY created_at DESC LIMIT 1",
        (thread_id, str(turn_id)),
    )
    row = await cursor.fetchone()
    return TurnRun(**row) if row else None
