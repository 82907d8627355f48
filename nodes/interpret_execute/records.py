"""What the workflow writes down outside its state: a session's steps, and each tool call before it is sent (B019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

SessionStatus = Literal["interpreting", "awaiting_confirm", "executing", "done", "failed"]
Noted = Literal["success", "failed"]
EntryState = Literal["new", "sent", "done"]


class InterpretRecords(Protocol):
    """The sessions of one owner, found by the thread that each keeps (K17)."""

    async def note(
        self, thread_id: str, key: str, *, status: SessionStatus | None, step: str, outcome: Noted, message: str
    ) -> None:
        """Add a row to the log of the session that keeps this thread, and set its status (B019, G22).

        The same `key` again adds nothing: a step in flight at a crash is made twice. Where no session of this owner
        keeps the thread (a client of the protocol, Studio), nothing is written.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class PlannedCall:
    """A tool call as it is journaled before it is sent; `call_id` is the same whenever the same step is made again."""

    call_id: str
    thread_id: str
    step: str
    tool: str
    server: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class JournalEntry:
    """What the journal knows of a call.

    `new`: it was journaled just now, and may be sent. `sent`: it was before, and no outcome was stored: whether the
    tool did its work is not known. `done`: with its outcome.
    """

    state: EntryState
    outcome: dict[str, Any] | None = None


class ToolJournal(Protocol):
    """The tool calls of one owner."""

    async def begin(self, call: PlannedCall) -> JournalEntry:
        """Settle the run, then journal a call; it is committed when this returns.

        Raises:
            FenceLost: the run goes on elsewhere; nothing was journaled.
        """
        ...

    async def finish(self, call_id: str, outcome: dict[str, Any]) -> None:
        """Store a call's outcome. It is no matter who owns the run by now: what happened has happened."""
        ...


@dataclass(frozen=True)
class NotedStep:
    """A row of a session's log."""

    thread_id: str
    step: str
    outcome: Noted
    message: str
    status: SessionStatus | None


class InMemoryInterpretRecords:
    """Steps in this process: for Studio and for tests."""

    def __init__(self) -> None:
        self.steps: dict[tuple[str, str], NotedStep] = {}

    async def note(
        self, thread_id: str, key: str, *, status: SessionStatus | None, step: str, outcome: Noted, message: str
    ) -> None:
        """Keep the step, unless it is there."""
        self.steps.setdefault((thread_id, key), NotedStep(thread_id, step, outcome, message, status))


class InMemoryToolJournal:
    """Calls in this process: for Studio and for tests."""

    def __init__(self) -> None:
        self.calls: dict[str, PlannedCall] = {}
        self.outcomes: dict[str, dict[str, Any]] = {}

    async def begin(self, call: PlannedCall) -> JournalEntry:
        """Keep the call, unless it is there."""
        if call.call_id not in self.calls:
            self.calls[call.call_id] = call
            return JournalEntry("new")
        outcome = self.outcomes.get(call.call_id)
        return JournalEntry("sent" if outcome is None else "done", outcome)

    async def finish(self, call_id: str, outcome: dict[str, Any]) -> None:
        """Keep the outcome."""
        self.outcomes[call_id] = outcome
