"""A plugged-in server: connected when needed, once for all who ask, healed at the next call (G20)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Final

import structlog
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, REQUEST_TIMEOUT, CallToolResult, InputRequiredResult
from pydantic import ValidationError

from tools.mcp.breaker import CircuitBreaker
from tools.mcp.configuration import ServerConfig, StdioConfig
from tools.mcp.connection import ConnectFailed, Connection, Request
from tools.mcp.limits import Limits
from tools.mcp.listing import Listing, listing_of
from tools.mcp.model import ServerHealth, ToolTimedOut, ToolUnreachable
from tools.mcp.transport import DELIVERY, Delivery

log = structlog.get_logger(__name__)

_MILLISECONDS: Final = 1000
# Beyond the session's own limit, which begins when the request was written.
_GRACE_SECONDS: Final = 1.0


class ToolBusy(ToolUnreachable):
    """All places of the server were taken for as long as a call may wait."""

    def __init__(self) -> None:
        super().__init__("工具服务繁忙，请稍后再试")


class Refused(Exception):
    """The server answered the call with a protocol error; the message is its own."""


class PluggedServer:
    """One server: its connection, its tools, its breaker, its places."""

    def __init__(self, name: str, config: ServerConfig, limits: Limits) -> None:
        self.name = name
        self.config = config
        self.limit = config.timeout_ms / _MILLISECONDS if config.timeout_ms else limits.call
        self.breaker = CircuitBreaker(failures_to_open=limits.failures_to_open, cool_down_seconds=limits.cool_down)
        self._limits = limits
        self._places = asyncio.Semaphore(config.max_concurrency)
        self._connection: Connection | None = None
        self._retired: set[Connection] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self._refresh_began = 0.0
        self._failed_at: float | None = None
        self._error: str | None = None
        self._closed = False
        self.listing: Listing | None = None

    @property
    def reachable(self) -> bool:
        """Whether there is a connection, as far as we know."""
        return self._connection is not None and self._connection.alive

    @property
    def fresh(self) -> bool:
        """Whether there is a connection, and a list of its tools that may be believed."""
        if self._connection is None or not self._connection.alive or self.listing is None:
            return False
        return not self._connection.tools_changed and time.monotonic() - self.listing.at < self._limits.list_age

    async def refresh(self) -> None:
        """Connect if there is no connection, and list the tools if the list is old; once for all who ask at a time.

        Raises:
            ToolUnreachable: it did not work; nothing was sent.
        """
        if not self.fresh:
            await asyncio.shield(self._begin())

    def nudge(self) -> asyncio.Task[None] | None:
        """Begin to refresh in the background if there is a need; a server that just failed is left alone a while."""
        if self._refreshing is not None:
            return self._refreshing
        rests = self._failed_at is not None and time.monotonic() - self._failed_at < self._limits.pause_after_failure
        return None if self._closed or self.fresh or rests else self._begin()

    @property
    def awaited(self) -> float:
        """For how many seconds more a list of all tools should wait for this server; 0: not at all."""
        if self._refreshing is None or self._failed_at is not None:
            return 0.0
        return max(self._refresh_began + self._limits.patience - time.monotonic(), 0.0)

    @property
    def never_tried(self) -> bool:
        """Whether its first connection is still being made, so that nobody can know its tools."""
        return self.listing is None and self._failed_at is None and not self._closed

    async def call(self, request: Request) -> CallToolResult | InputRequiredResult:
        """Send one request.

        Raises:
            ToolUnreachable: no connection, no place, or it broke; `sent` tells whether the request may have arrived.
            ToolTimedOut: no answer in time.
            Refused: the server answered with an error of the protocol.
        """
        async with self._place():
            connection = self._connection
            if connection is None or not connection.alive:
                raise ToolUnreachable
            delivery = Delivery()
            token = DELIVERY.set(delivery)
            try:
                async with asyncio.timeout(self.limit + _GRACE_SECONDS):
                    result = await connection.call(request, limit=self.limit)
            except (MCPError, ConnectFailed, TimeoutError) as error:
                raise self._explain(error, connection, delivery) from None
            finally:
                DELIVERY.reset(token)
        self._answered()
        return result

    def health(self) -> ServerHealth:
        """Tell how it is, without asking it."""
        return ServerHealth(
            name=self.name,
            transport="stdio" if isinstance(self.config, StdioConfig) else "http",
            reachable=self.reachable,
            tools=len(self.listing.tools) if self.listing and self.reachable else 0,
            breaker=self.breaker.state,
            error=self._error,
            protocol_version=self._connection.protocol_version if self._connection else None,
        )

    async def close(self) -> None:
        """End its connections; a child process is gone after this."""
        self._closed = True
        connections = {*self._retired, *([self._connection] if self._connection else [])}
        await asyncio.gather(*(connection.close() for connection in connections))
        # Not cancelled: who waits for it is told that there is no server, not that he himself is cancelled.
        if self._refreshing is not None:
            await asyncio.wait({self._refreshing})

    def _begin(self) -> asyncio.Task[None]:
        if self._closed:
            raise ToolUnreachable
        if self._refreshing is None:
            self._refresh_began = time.monotonic()
            # A context of its own: the connection outlives the caller, and is not his alone.
            self._refreshing = asyncio.create_task(self._refresh(), name=f"mcp-refresh-{self.name}", context=Context())
            self._refreshing.add_done_callback(self._refreshed)
        return self._refreshing

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        # Whoever waited has it; where nobody did, it was logged.
        if not task.cancelled():
            task.exception()

    async def _refresh(self) -> None:
        if self._closed or not self.breaker.admit():
            raise ToolUnreachable
        connection = self._connection if self._connection and self._connection.alive else await self._connect()
        try:
            self.listing = listing_of(self.name, self.config, await connection.list_tools(), time.monotonic())
        except (MCPError, ValidationError, TimeoutError) as error:
            self._give_up(connection)
            self._failed(error)
            raise ToolUnreachable from None
        self._answered()
        self._failed_at = None

    async def _connect(self) -> Connection:
        connection = Connection(self.name, self.config, opening=self._limits.connect, limit=self.limit)
        if self._connection is not None:
            self._give_up(self._connection)
        self._connection = connection
        try:
            await connection.open()
        except ConnectFailed as error:
            self._failed(error)
            raise ToolUnreachable from None
        log.info("mcp_server_connected", server=self.name, protocol=connection.protocol_version)
        return connection

    def _give_up(self, connection: Connection) -> None:
        """Make no more use of a connection; what is under way on it may end."""
        connection.retire()
        self._retired.add(connection)
        task = asyncio.ensure_future(connection.wait_closed())
        task.add_done_callback(lambda _task: self._retired.discard(connection))
        if self._connection is connection:
            self._connection = None

    def _answered(self) -> None:
        self.breaker.succeeded()
        self._error = None

    def _failed(self, error: Exception) -> None:
        self.breaker.failed()
        self._failed_at = time.monotonic()
        self._error = error.kind if isinstance(error, ConnectFailed) else type(error).__name__
        log.warning("mcp_server_failed", server=self.name, error=self._error, breaker=self.breaker.state)

    def _explain(self, error: Exception, connection: Connection, delivery: Delivery) -> Exception:
        code = error.code if isinstance(error, MCPError) else REQUEST_TIMEOUT
        if isinstance(error, ConnectFailed) or delivery.failed or code == CONNECTION_CLOSED:
            # Many calls may break with one connection: that is one failure.
            if self._connection is connection:
                self._give_up(connection)
                self._failed(error)
            return ToolUnreachable(sent=delivery.sent)
        if code != REQUEST_TIMEOUT:
            return Refused(str(error))
        self._error = "TimeoutError"
        # Was it the tool, or does the server stand still? The next call asks for the list first, and where that does
        # not come either, a new connection is made.
        connection.tools_changed = True
        return ToolTimedOut()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.limit):
                await self._places.acquire()
        except TimeoutError:
            raise ToolBusy from None
        try:
            yield
        finally:
            self._places.release()
