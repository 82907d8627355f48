"""What the workflow writes down, for one owner: the SQL behind its Protocols."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import orjson

from db.database import Database, acting_for
from nodes.interpret_execute.records import JournalEntry, Noted, PlannedCall, SessionStatus
from server.interpret import call_repository, repository
from server.runs.jsonb import jsonb_text

Settle = Callable[[], Awaitable[None]]

# Four times what the hub lets a tool answer.
_LARGEST_OUTCOME: Final = 1024 * 1024
_TOO_LARGE: Final = "工具的结果过大，无法保存"


class SessionRecords:
    """`nodes.interpret_execute.records.InterpretRecords` on the sessions of one owner."""

    def __init__(self, database: Database, owner_id: UUID, settle: Settle) -> None:
        self._database = database
        self._owner_id = owner_id
        self._settle = settle

    async def note(
        self, thread_id: str, key: str, *, status: SessionStatus | None, step: str, outcome: Noted, message: str
    ) -> None:
        """Add a row to the session's log and set its status; the same key again changes nothing."""
        # A run that has lost its thread to another process must not change the session any more.
        await self._settle()
        async with acting_for(self._database.pool, self._owner_id) as connection:
            await repository.note(
                connection,
                self._owner_id,
                UUID(thread_id),
                key=key,
                status=status,
                step=step,
                outcome=outcome,
                message=message,
            )


class CallJournal:
    """`nodes.interpret_execute.records.ToolJournal` on the tool calls of one owner."""

    def __init__(self, database: Database, owner_id: UUID, settle: Settle) -> None:
        self._database = database
        self._owner_id = owner_id
        self._settle = settle

    async def begin(self, call: PlannedCall) -> JournalEntry:
        """Settle the run, then journal a call; it is committed when this returns."""
        await self._settle()
        async with self._database.transaction(self._owner_id) as session:
            known = await call_repository.begin(session, self._owner_id, call)
        if known is None:
            return JournalEntry("new")
        state, outcome = known
        return JournalEntry("done" if state == "done" else "sent", outcome)

    async def finish(self, call_id: str, outcome: dict[str, Any]) -> None:
        """Store a call's outcome, also where the run has lost its thread: what happened has happened."""
        async with self._database.transaction(self._owner_id) as session:
            await call_repository.finish(session, self._owner_id, UUID(call_id), _bounded(outcome))


def _bounded(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome that the column can hold."""
    text = jsonb_text(outcome)
    kept: dict[str, Any] = orjson.loads(text)
    if len(text) > _LARGEST_OUTCOME and isinstance(kept.get("result"), dict):
        # That it happened, and how it ended, is what counts.
        kept["result"]["data"] = {"content": [], "text": _TOO_LARGE}
    return kept
