"""The calls that the workflow reads, and where their summaries go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired, Protocol

from typing_extensions import TypedDict

from core.errors import NotFound


class Message(TypedDict):
    """One turn of a call (C011); `timestamp` is in epoch seconds and not read here (W22)."""

    role: Literal["assistant", "user"]
    content: str
    timestamp: NotRequired[int | None]


class CallRecords(Protocol):
    """The calls of one owner."""

    async def messages(self, record_id: str) -> list[Message]:
        """Return a call's messages, oldest first.

        Raises:
            NotFound: there is no such call of this owner.
        """
        ...

    async def save_summary(self, record_id: str, summary: str, total_tokens: int) -> None:
        """Store a call's summary and what it took; the same values again change nothing.

        Raises:
            NotFound: there is no such call of this owner any more.
        """
        ...


@dataclass(frozen=True)
class SavedSummary:
    """A stored summary and the tokens it took."""

    summary: str
    total_tokens: int


class InMemoryCallRecords:
    """Calls in this process: for Studio (which has none until they are put in) and for tests."""

    def __init__(self, calls: Mapping[str, Sequence[Message]] | None = None) -> None:
        self._calls = {record_id: list(messages) for record_id, messages in (calls or {}).items()}
        self.summaries: dict[str, SavedSummary] = {}

    async def messages(self, record_id: str) -> list[Message]:
        """Return a call's messages, oldest first.

        Raises:
            NotFound: there is no such call.
        """
        return list(self._found(record_id))

    async def save_summary(self, record_id: str, summary: str, total_tokens: int) -> None:
        """Store a call's summary and what it took.

        Raises:
            NotFound: there is no such call.
        """
        self._found(record_id)
        self.summaries[record_id] = SavedSummary(summary, total_tokens)

    def _found(self, record_id: str) -> list[Message]:
        if record_id not in self._calls:
            raise NotFound("通话记录不存在")
        return self._calls[record_id]
