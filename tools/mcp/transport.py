"""Streams to a server that are watched: whether a request left us, and when the connection ended.

The session's own errors do not tell these apart, and only a request that surely was not sent may be sent again (G21).
"""

import contextlib
from collections.abc import AsyncIterator
from contextvars import Context, ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import anyio
import anyio.to_thread
import httpx2
from mcp import StdioServerParameters
from mcp.client._transport import ReadStream, WriteStream
from mcp.client.streamable_http import MCP_SESSION_ID, streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest

from tools.mcp.child import MESSAGE_LIMIT_BYTES, TOO_LARGE, running
from tools.mcp.stderr import logged_stderr

_HTTP_CONNECT_SECONDS: Final = 10.0
_CLIENT_ERRORS: Final = 400
_GATEWAY_ERRORS: Final = 500
_REFUSED: Final = frozenset({401, 403, 407, 429})

Item = SessionMessage | Exception
Streams = tuple[ReadStream[Item], WriteStream[SessionMessage]]


@dataclass
class Delivery:
    """How far a request has come. `sent`: it may have reached the server. `failed`: its transport did not work."""

    sent: bool = False
    failed: bool = False


DELIVERY: ContextVar[Delivery | None] = ContextVar("mcp_delivery", default=None)


@contextlib.asynccontextmanager
async def open_stdio(parameters: StdioServerParameters, name: str, ended: anyio.Event) -> AsyncIterator[Streams]:
    """Start the server as a child process; it and its descendants are gone when the block is left."""
    async with logged_stderr(name) as stderr, running(parameters, stderr) as (incoming, outgoing):
        # The child has its own copy: with ours closed, its end is seen.
        stderr.close()
        yield _Incoming(incoming, ended), _Outgoing(outgoing)


@contextlib.asynccontextmanager
async def open_http(url: str, headers: dict[str, str], ended: anyio.Event, *, silence: float) -> AsyncIterator[Streams]:
    """Speak streamable HTTP; there is no connection that could end, only requests that fail.

    A response that says nothing for `silence` seconds counts as broken.
    """
    timeout = httpx2.Timeout(_HTTP_CONNECT_SECONDS, read=silence)
    # In a thread: it reads the certificates of whom to trust.
    made = await anyio.to_thread.run_sync(lambda: _WatchedClient(headers=headers, timeout=timeout))
    async with (
        made as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MESSAGE_LIMIT_BYTES) as (incoming, outgoing),
    ):
        yield _Incoming(incoming, ended), _Outgoing(outgoing)


class _WatchedClient(httpx2.AsyncClient):
    """Takes down, for the request it belongs to, what became of it; the transport carries the caller's context here."""

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        delivery = DELIVERY.get()
        try:
            response = await super().send(request, **options)
        except httpx2.TransportError as error:
            if delivery is not None:
                delivery.failed = True
                delivery.sent = not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
            raise
        if delivery is not None and request.method == "POST":
            _judge(delivery, response.status_code, in_session=MCP_SESSION_ID in request.headers)
        if isinstance(response.stream, httpx2.AsyncByteStream) and not _is_events(response):
            response.stream = _Bounded(response.stream)
        return response


class _TooLarge(httpx2.StreamError):
    """A body that is no stream of events and goes beyond the limit; the transport makes a protocol error of it."""


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for chunk in self._inner:
            taken += len(chunk)
            if taken > MESSAGE_LIMIT_BYTES:
                raise _TooLarge(TOO_LARGE)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _is_events(response: httpx2.Response) -> bool:
    return str(response.headers.get("content-type", "")).startswith("text/event-stream")


def _judge(delivery: Delivery, status: int, *, in_session: bool) -> None:
    if status >= _GATEWAY_ERRORS:
        delivery.failed = True
    elif status >= _CLIENT_ERRORS:
        # Refused as it came: nothing was done. Servers with sessions (before 2026-07-28) have no other reason than that
        # they do not know the session any more; they say so with 404, and in practice with 400.
        delivery.sent = False
        delivery.failed = in_session or status in _REFUSED


class _Incoming:
    """The server's messages; tells when no more can come."""

    def __init__(self, inner: ReadStream[Item], ended: anyio.Event) -> None:
        self._inner = inner
        self._ended = ended

    @property
    def last_context(self) -> Context | None:
        """The context in which the last message was sent: the dispatcher looks for it."""
        found: Context | None = getattr(self._inner, "last_context", None)
        return found

    async def receive(self) -> Item:
        try:
            return await self._inner.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._ended.set()
            raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self._inner.__anext__()
        except (StopAsyncIteration, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._ended.set()
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)


class _Outgoing:
    """Our messages; takes down in the sender's `Delivery` that a request is on its way."""

    def __init__(self, inner: WriteStream[SessionMessage]) -> None:
        self._inner = inner

    async def send(self, item: SessionMessage, /) -> None:
        delivery = DELIVERY.get() if isinstance(item.message, JSONRPCRequest) else None
        if delivery is not None:
            # Before it is: a send that is cancelled may have handed it over.
            delivery.sent = True
        try:
            await self._inner.send(item)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            if delivery is not None:
                delivery.sent, delivery.failed = False, True
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)
