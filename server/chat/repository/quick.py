"""SQL of quick mode: a message and its answer, one statement each."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from db.database import Pool
from providers.usage import Usage
from server.chat.repository.sessions import LEASE_SECONDS, Session


@dataclass(frozen=True)
class Question:
    """What became of a quick message; where it was asked, its session and the turns before it."""

    outcome: Literal["asked", "busy", "expired", "other"]
    session: Session | None = None
    past: Sequence[dict[str, str]] = ()


async def ask(
    pool: Pool,
    *,
    session_id: UUID,
    principal_id: UUID | None,
    user_id: str | None,
    turn_id: UUID,
    message: str,
    past_turns: int,
    at: datetime,
) -> Question:
    """Write a message down and take its session, if nothing speaks against it.

    `other`: nothing was done, because a draft waits or the last message has no answer.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT * FROM chat.ask(%s, %s, %s, %s, %s, %s, %s, %s)",
            (session_id, principal_id, user_id, turn_id, message, at, LEASE_SECONDS, past_turns),
        )
        row: dict[str, Any] = await cursor.fetchone() or {}
    outcome, past = row.pop("outcome"), row.pop("past")
    if outcome != "asked":
        return Question(outcome)
    return Question(outcome, Session(id=session_id, is_closed=False, is_leased=True, **row), past)


async def keep(
    pool: Pool, session: Session, turn_id: UUID, text: str | None, calls: Sequence[Usage], at: datetime
) -> bool:
    """Store the answer (None: there is none) and the model calls, and release the session; False where it is gone."""
    said = None if text is None else text.replace("\0", "")
    used = json.dumps([asdict(call) for call in calls])
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT chat.keep_reply(%s, %s, %s, %s, %s, %s) AS kept",
            (session.id, session.owner_id, turn_id, said, used, at),
        )
        row = await cursor.fetchone()
    return bool(row and row["kept"])
