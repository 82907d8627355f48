"""What the MCP hub deals in: tools, results, requests for input, and how a call can fail (K36, G18–G21)."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from core.errors import ColloquyError, InvalidInput, TimedOut

EXEC_FAIL: Final = "EXEC_FAIL"

Breaker = Literal["closed", "open", "half_open"]
Outcome = Literal["ok", "tool_error", "input_needed", "timed_out", "unreachable"]
# Called after each call of a tool with server, tool (its own name), outcome and seconds, retries included.
Observer = Callable[[str, str, Outcome, float], None]
# Names of tools that an operator has switched off: a name as it is shown, `server.tool`, or a tool's own name, which
# switches it off on every server.
Disabled = Callable[[], Awaitable[Collection[str]]]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool of a plugged-in server, as it stands at this moment.

    `name` is unique among all servers: the tool's own name, or `server.tool` where two servers share it (G20).
    The hints are the server's own (a hint that is missing counts as the protocol says: it may destroy, it is not
    idempotent), changed by the operator's policy only.
    """

    name: str
    server: str
    own_name: str
    description: str
    input_schema: Mapping[str, Any]
    title: str | None = None
    output_schema: Mapping[str, Any] | None = None
    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether a call whose outcome is unknown may be sent again without asking anybody (G21)."""
        return self.read_only or self.idempotent


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """What a tool answered. `content` are the protocol's content blocks as JSON, within the output limit.

    Blocks that are too large (images, audio, floods of text) are cut or replaced, and `truncated` says so.
    """

    content: tuple[Mapping[str, Any], ...] = ()
    structured: Any = None
    is_error: bool = False
    truncated: bool = False

    @property
    def text(self) -> str:
        """All text blocks, joined by line breaks."""
        return "\n".join(str(block["text"]) for block in self.content if block.get("type") == "text")


@dataclass(frozen=True, kw_only=True)
class InputNeeded:
    """A tool asks for more before it can end: the protocol's `InputRequiredResult`, or an elicitation that was pushed.

    `requests` maps the server's key to the request as JSON (`method`, `params` with `message` and
    `requestedSchema`); `state` goes back with the answers as it came. A pushed one (older servers) cannot be taken up
    by another call: the hub declines it, and the call ends as the server decides.
    """

    requests: Mapping[str, Mapping[str, Any]]
    state: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers to `InputNeeded`: for each key `{"action": "accept"|"decline"|"cancel", "content": {…}}`."""

    responses: Mapping[str, Mapping[str, Any]]
    state: str | None = None


@dataclass(frozen=True, kw_only=True)
class ServerHealth:
    """How a server is; `error` is the kind of its last failure, never a message of the server's."""

    name: str
    transport: Literal["stdio", "http"]
    reachable: bool
    tools: int = 0
    breaker: Breaker = "closed"
    error: str | None = None
    protocol_version: str | None = None


class ToolUnreachable(ColloquyError):
    """The tool's server is down, or its breaker is open. `sent` tells whether the call may have reached it."""

    status = 502
    default_code = EXEC_FAIL

    def __init__(self, message: str = "工具服务暂时不可用，请稍后再试", *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class ToolTimedOut(TimedOut):
    """The tool did not answer in time; whether it did its work is not known."""

    default_code = EXEC_FAIL

    def __init__(self, message: str = "工具执行超时") -> None:
        super().__init__(message)


class UnknownTool(InvalidInput):
    """No server offers such a tool now, or an operator has disabled it."""

    default_code = EXEC_FAIL

    def __init__(self, message: str = "没有这个工具") -> None:
        super().__init__(message)


class InvalidArguments(InvalidInput):
    """The arguments do not fit the tool's input schema; `problems` say where, without quoting values."""

    default_code = EXEC_FAIL

    def __init__(self, problems: tuple[str, ...], message: str = "参数不符合工具的要求") -> None:
        super().__init__(message)
        self.problems = problems


class ToolHub(Protocol):
    """The plugged-in servers, seen as one catalogue of tools and one way to call them."""

    async def tools(self) -> tuple[Tool, ...]:
        """Return the tools of all servers that can be reached, by name; a dead server hides only its own."""
        ...

    async def find(self, name: str) -> Tool:
        """Return a tool as it is now.

        Raises:
            UnknownTool: there is none of that name.
            ToolUnreachable: its server is known, and down.
        """
        ...

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, call_id: str, answers: Answers | None = None
    ) -> ToolResult | InputNeeded:
        """Call a tool; `call_id` goes to the server with the request (`_meta`), so that it can tell a repeat.

        Retries only what is safe (G21): failures before the request was sent, and others only for repeatable tools.

        Raises:
            UnknownTool: there is no such tool (any more).
            InvalidArguments: the arguments do not fit its schema; nothing was sent.
            ToolUnreachable: its server cannot be reached; `sent` tells whether the request may have arrived.
            ToolTimedOut: no answer within the limit.
        """
        ...


class OpenToolHub(ToolHub, Protocol):
    """A hub with connections of its own."""

    def start(self) -> None:
        """Begin to connect to all servers, in the background."""
        ...

    async def close(self) -> None:
        """End all connections and child processes."""
        ...

    def health(self) -> tuple[ServerHealth, ...]:
        """Tell how each server is, as far as is known; asks none of them."""
        ...


async def none_disabled() -> Collection[str]:
    """Switch nothing off."""
    return ()
