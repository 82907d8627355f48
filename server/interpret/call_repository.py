"""SQL of the journal of tool calls."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.interpret import ToolCall
from nodes.interpret_execute.records import PlannedCall
from server.runs.retention_repository import MOST_ROWS


async def begin(session: AsyncSession, user_id: UUID, call: PlannedCall) -> Row[str, dict[str, Any] | None] | None:
    """Journal a call; None where it is new, else the state and the outcome of the one that is there."""
    call_id = UUID(call.call_id)
    made = await session.execute(
        insert(ToolCall)
        .values(
            user_id=user_id,
            call_id=call_id,
            thread_id=UUID(call.thread_id),
            step=call.step,
            tool=call.tool,
            server=call.server,
            arguments_sha256=_digest(call),
        )
        .on_conflict_do_nothing(index_elements=["user_id", "call_id"])
        .returning(ToolCall.call_id)
    )
    if made.first() is not None:
        return None
    known = await session.execute(
        select(ToolCall.state, ToolCall.outcome).where(ToolCall.user_id == user_id, ToolCall.call_id == call_id)
    )
    return known.one()


def _digest(call: PlannedCall) -> bytes:
    return hashlib.sha256(orjson.dumps(call.arguments, option=orjson.OPT_SORT_KEYS)).digest()


async def finish(session: AsyncSession, user_id: UUID, call_id: UUID, outcome: dict[str, Any]) -> None:
    """Store a call's outcome; the first one stays."""
    await session.execute(
        update(ToolCall)
        .where(ToolCall.user_id == user_id, ToolCall.call_id == call_id, ToolCall.state == "sent")
        .values(state="done", outcome=outcome, finished_at=func.clock_timestamp())
    )


async def delete_before(connection: AsyncConnection[DictRow], before: datetime) -> int:
    """Delete some calls that are too old; return how many. For the system role."""
    cursor = await connection.execute(
        """
        DELETE FROM interpret.tool_calls AS call USING (
          SELECT user_id, call_id FROM interpret.tool_calls WHERE created_at < %s
          ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED) AS old
        WHERE call.user_id = old.user_id AND call.call_id = old.call_id
        """,
        (before, MOST_ROWS),
    )
    return cursor.rowcount
