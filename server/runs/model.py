"""The run engine's words: a request to run, a run, its events, its result, a thread's state."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, Self
from uuid import UUID

import orjson

from server.runs.encode import encode

StreamMode = Literal[
    "values", "updates", "messages", "messages-tuple", "custom", "events", "tasks", "checkpoints", "debug"
]


class RunStatus(enum.StrEnum):
    """A run's life: (scheduled →) pending → running → one of the others."""

    scheduled = "scheduled"
    pending = "pending"
    running = "running"
    success = "success"
    error = "error"
    interrupted = "interrupted"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self not in (RunStatus.scheduled, RunStatus.pending, RunStatus.running)


Strategy = Literal["reject", "enqueue", "interrupt", "rollback"]
CancelAction = Literal["interrupt", "rollback"]


@dataclass(frozen=True)
class Idempotency:
    """What makes asking twice safe: the client's key, and a digest of what was asked (24 h, per owner)."""

    key: str
    request_sha256: bytes


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run is driven; kept on its row, so that a restart drives it in the same way.

    `update` and `goto` are a command's other parts. `checkpoint` is LangGraph's own form of the checkpoint that the run
    forks from. A run that is restarted after its first checkpoint goes on from there, and forks no second time.
    """

    tags: list[str] = field(default_factory=list)
    recursion_limit: int | None = None
    configurable: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] | None = None
    interrupt_before: str | list[str] | None = None
    interrupt_after: str | list[str] | None = None
    subgraphs: bool = False
    durability: Literal["sync", "async"] = "async"
    update: Any = None
    goto: list[Any] = field(default_factory=list)
    checkpoint: dict[str, Any] | None = None
    keeps_output: bool = True
    """Whether the output is kept on the run's row; the protocol's clients read the thread's state instead."""

    def changed(self) -> dict[str, Any]:
        """Return what is not as it is by default."""
        return {name: value for name, value in vars(self).items() if value != _USUAL[name]}


_USUAL: Final = vars(RunOptions())


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What to do on a thread. Neither `input` nor `resume`: go on from the last checkpoint.

    `answers` names the interrupts that `resume` answers; empty: the thread's only one; None: it answers none.
    `strategy` says what happens when a run of the thread is not finished. `metadata` is the run's, and the thread's if
    this makes it; without `makes_thread` the thread has to be there. `after_seconds` is how long it waits before it
    takes its place in the thread's queue. A thread that `is_stateless` is deleted some time after its run.
    `caller_key` is the digest of an API key that has to be the owner's still; None: somebody has seen to that.
    """

    thread_id: UUID
    owner_id: UUID
    workflow: str
    input: Any = None
    resume: Any = None
    answers: tuple[str, ...] | None = None
    strategy: Strategy = "reject"
    idempotency: Idempotency | None = None
    stream_modes: tuple[StreamMode, ...] = ("updates", "custom")
    metadata: dict[str, Any] = field(default_factory=dict)
    options: RunOptions = field(default_factory=RunOptions)
    makes_thread: bool = True
    after_seconds: float | None = None
    is_stateless: bool = False
    caller_key: bytes | None = None

    @cached_property
    def payload(self) -> str:
        """What is kept on the run's row, to be able to send it again after a crash; as JSON."""
        kept = {
            "input": self.input,
            "resume": self.resume,
            "stream_modes": list(self.stream_modes),
            "metadata": self.metadata,
            "strategy": self.strategy,
            "options": self.options.changed(),
        }
        return encode(kept)


@dataclass(frozen=True)
class Accepted:
    """What became of a request: a run that was claimed at once, that waits, or the refusal's name."""

    outcome: Literal[
        "no_caller",
        "claimed",
        "pending",
        "waits",
        "scheduled",
        "replayed",
        "no_thread",
        "busy",
        "not_interrupted",
        "key_reused",
    ]
    run_id: UUID | None
    fence: int | None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A run that this process may execute, under the thread's new fence."""

    run_id: UUID
    thread_id: UUID
    owner_id: UUID
    workflow: str
    request: dict[str, Any]
    fence: int
    attempt: int
    restarts_input: bool
    """Whether the thread's head is still the run's base: then the input is sent (again), else it goes on."""
    waited: float
    """Seconds since the run was accepted."""
    cancelled: bool = False
    """Whether its end was asked for while nobody executed it."""

    @classmethod
    def of(cls, run_id: UUID, row: Mapping[str, Any]) -> Self:
        """Return what the database says of a claim."""
        ids = {name: UUID(str(row[name])) for name in ("thread_id", "owner_id")}
        return cls(run_id=run_id, **{**row, **ids})


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the engine has to do: runs that wait, runs that work, and jobs that nobody has taken up."""

    pending: int
    running: int
    jobs: int


class EventId(NamedTuple):
    """`<fence>-<seq>`: increasing over a run, also over its attempts."""

    fence: int
    seq: int

    def __str__(self) -> str:
        return f"{self.fence}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id as a client sends it back; `-1` asks for everything.

        Raises:
            ValueError: it is no event id.
        """
        if text == "-1":
            return cls(-1, -1)
        fence, dash, seq = text.partition("-")
        if not (dash and fence.isdecimal() and seq.isdecimal()):
            raise ValueError("an event id has the form <fence>-<seq>")
        return cls(int(fence), int(seq))


FIRST = EventId(-1, -1)


@dataclass(frozen=True)
class Event:
    """One event of a run's stream: the protocol's name of it (`updates`, `values|<subgraph>`), and its data as JSON."""

    id: EventId
    event: str
    json: str

    @property
    def data(self) -> Any:
        """What the graph emitted."""
        return orjson.loads(self.json)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run stands. `output` is the graph's output once it is finished; `error_*` are safe to show."""

    run_id: UUID
    thread_id: UUID
    status: RunStatus
    output: dict[str, Any] | None
    interrupts: dict[str, Any]
    error_status: int | None
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run ended, as its row; `output` and `values` as JSON, where they are kept with it."""

    row: dict[str, Any]
    output: str | None
    values: str | None


@dataclass(frozen=True, kw_only=True)
class ThreadState:
    """A thread's newest checkpoint: its values and the nodes that would run next."""

    thread_id: UUID
    values: dict[str, Any]
    next: tuple[str, ...]
    interrupts: tuple[dict[str, Any], ...]
    checkpoint_id: str | None
