"""What the call summary's nodes read and write, for one owner: the SQL behind their Protocol."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from core.errors import NotFound
from db.database import Database
from nodes.call_summary.records import Message
from server.calls import repository


class SummaryRecords:
    """`nodes.call_summary.records.CallRecords` on the call records of one owner."""

    def __init__(self, database: Database, owner_id: UUID, settle: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._owner_id = owner_id
        self._settle = settle

    async def messages(self, record_id: str) -> list[Message]:
        """Return the call's messages.

        Raises:
            NotFound: there is no such call of this owner.
        """
        async with self._database.transaction(self._owner_id) as session:
            call = await repository.find_call(session, self._owner_id, _id(record_id))
        if call is None:
            raise NotFound("通话记录不存在")
        return [Message(**message) for message in call.messages]  # type: ignore[typeddict-item]

    async def save_summary(self, record_id: str, summary: str, total_tokens: int) -> None:
        """Store the summary and its token use; the same values again change nothing.

        Raises:
            NotFound: the call was deleted in the meantime.
        """
        # A run that has lost its thread to another process must not change the call any more.
        await self._settle()
        async with self._database.transaction(self._owner_id) as session:
            saved = await repository.save_summary(session, self._owner_id, _id(record_id), summary, total_tokens)
        if not saved:
            raise NotFound("通话记录不存在")


def _id(record_id: str) -> UUID:
    try:
        return UUID(record_id)
    except ValueError:
        raise NotFound("通话记录不存在") from None
