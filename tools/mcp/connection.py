"""One connection to a server: a task of its own opens it, keeps it and closes it (W10)."""

import asyncio
import math
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, cast

import anyio

# The client imports it when the first answer is checked: on the event loop.
import jsonschema  # noqa: F401
import structlog
from mcp import Client, MCPError, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import SubscriptionLost
from mcp.types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    InputRequiredResult,
    InputResponses,
    RequestParamsMeta,
    Tool,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from core.tasks import wait_at_most
from tools.mcp.configuration import ServerConfig, StdioConfig
from tools.mcp.transport import Streams, open_http, open_stdio

log = structlog.get_logger(__name__)

CALL_ID_KEY: Final = "colloquy/call-id"
# A server whose list never ends is cut off here.
_MOST_PAGES: Final = 50
_MOST_TOOLS: Final = 1000
_LISTEN_AGAIN_SECONDS: Final = 5.0
# A stream of changes may say nothing for long; and a call's own limit must be the shorter one.
_HTTP_SILENCE_SECONDS: Final = 300.0
_MARGIN_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of a tool, by its own name; `responses` and `state` answer what it had asked."""

    tool: str
    arguments: dict[str, Any]
    call_id: str
    responses: InputResponses | None = None
    state: str | None = None


class ConnectFailed(Exception):
    """The server could not be started or reached, or did not speak the protocol; `kind` names the failure's type."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Connection:
    """A session with one server, from opening to end; it does not come back.

    The client's contexts must be left in the task that entered them, so a task owns them; calls are made from any task.
    """

    def __init__(self, name: str, config: ServerConfig, *, opening: float, limit: float) -> None:
        self._name = name
        self._config = config
        self._patience = opening
        self._limit = limit
        self._ended = anyio.Event()
        self._opened = asyncio.Event()
        self._leave = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._hurry = asyncio.Event()
        self._calls = 0
        self._client: Client | None = None
        self._owner: asyncio.Task[None] | None = None
        self._opening: anyio.CancelScope | None = None
        self._failure = "ConnectionClosed"
        self.tools_changed = False

    @property
    def alive(self) -> bool:
        """Whether calls can be made: it was opened, is not to be left, and the other side has not ended it."""
        return self._client is not None and not self._leave.is_set() and not self._ended.is_set()

    @property
    def protocol_version(self) -> str | None:
        """What both sides agreed on."""
        return self._client.session.protocol_version if self.alive and self._client else None

    async def open(self) -> None:
        """Open it.

        Raises:
            ConnectFailed: it did not work, or took longer than the limit.
        """
        self._owner = asyncio.create_task(self._own(), name=f"mcp-{self._name}")
        await self._opened.wait()
        if self._client is None:
            raise ConnectFailed(self._failure)

    def retire(self) -> None:
        """Take no more calls; it closes when those that are under way have ended."""
        self._leave.set()

    async def close(self) -> None:
        """Close it now, and wait until nothing of it is left."""
        self._leave.set()
        self._hurry.set()
        if self._client is None and self._opening is not None:
            self._opening.cancel()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until nothing of it is left."""
        if self._owner is not None:
            await asyncio.wait({self._owner})

    async def list_tools(self) -> list[Tool]:
        """Return the server's tools, all pages.

        Raises:
            MCPError: it refused, or the connection broke.
            TimeoutError: it took longer than the limit.
        """
        self.tools_changed = False
        tools: list[Tool] = []
        cursor: str | None = None
        with anyio.fail_after(self._limit):
            for _page in range(_MOST_PAGES):
                page = await self._session.list_tools(cursor=cursor, cache_mode="refresh")
                tools += page.tools
                cursor = page.next_cursor
                if not cursor or len(tools) >= _MOST_TOOLS:
                    break
        return tools[:_MOST_TOOLS]

    async def call(self, request: Request, *, limit: float) -> CallToolResult | InputRequiredResult:
        """Call a tool.

        Raises:
            MCPError: the time is over, the connection broke, or the server refused the request.
        """
        self._calls += 1
        self._idle.clear()
        try:
            return await self._session.session.call_tool(
                request.tool,
                request.arguments,
                read_timeout_seconds=limit,
                input_responses=request.responses,
                request_state=request.state,
                meta=cast("RequestParamsMeta", {CALL_ID_KEY: request.call_id}),
                allow_input_required=True,
            )
        finally:
            self._calls -= 1
            if self._calls == 0:
                self._idle.set()

    @property
    def _session(self) -> Client:
        if self._client is None:
            raise ConnectFailed(self._failure)
        return self._client

    async def _own(self) -> None:
        try:
            if self._leave.is_set():
                return
            # The client imports it when the first result has a schema, and it reads files.
            await asyncio.to_thread(import_module, "jsonschema")
            with anyio.CancelScope(deadline=anyio.current_time() + self._patience) as self._opening:
                async with Client(
                    _transport(self._name, self._config, self._ended, self._limit),
                    read_timeout_seconds=max(self._patience, self._limit),
                    elicitation_callback=_decline,
                    message_handler=self._on_message,
                    cache=None,
                ) as client:
                    self._opening.deadline = math.inf
                    self._client = client
                    self._opened.set()
                    await self._stay(client)
            if self._opening.cancelled_caught:
                self._failure = "TimeoutError"
        except Exception as error:  # noqa: BLE001 - a server can fail in any way, and takes nobody with it
            self._failure = _kind(error)
            log.debug("mcp_connection_failed", server=self._name, error=self._failure)
        finally:
            self._ended.set()
            self._opened.set()

    async def _stay(self, client: Client) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen, client)
            group.start_soon(self._leave_at_end)
            await self._leave.wait()
            if not self._ended.is_set():
                group.start_soon(self._hurry_when_idle)
                await wait_at_most(self._hurry, self._limit)
            group.cancel_scope.cancel()

    async def _leave_at_end(self) -> None:
        await self._ended.wait()
        self._leave.set()
        self._hurry.set()

    async def _hurry_when_idle(self) -> None:
        await self._idle.wait()
        self._hurry.set()

    async def _listen(self, client: Client) -> None:
        """Hear of changes in the tool list; servers before 2026-07-28 tell without being asked."""
        offered = client.server_capabilities.tools
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or not offered or not offered.list_changed:
            return
        while True:
            try:
                async with client.listen(tools_list_changed=True) as changes:
                    async for _change in changes:
                        self.tools_changed = True
            except (MCPError, SubscriptionLost, TimeoutError):
                log.debug("mcp_listening_ended", server=self._name)
            # What changed in between is not told again.
            self.tools_changed = True
            await anyio.sleep(_LISTEN_AGAIN_SECONDS)

    async def _on_message(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.tools_changed = True


def _transport(
    name: str, config: ServerConfig, ended: anyio.Event, limit: float
) -> AbstractAsyncContextManager[Streams]:
    if isinstance(config, StdioConfig):
        parameters = StdioServerParameters(
            command=config.command,
            args=list(config.args),
            env={key: value.get_secret_value() for key, value in config.env.items()},
            cwd=config.cwd,
        )
        return open_stdio(parameters, name, ended)
    headers = {key: value.get_secret_value() for key, value in config.headers.items()}
    return open_http(str(config.url), headers, ended, silence=max(_HTTP_SILENCE_SECONDS, limit + _MARGIN_SECONDS))


async def _decline(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Decline what an older server asks in the middle of a call: nobody could take it up after a pause."""
    log.debug("mcp_elicitation_declined", request=str(context.request_id), mode=params.mode)
    return ElicitResult(action="decline")


def _kind(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return type(error).__name__
