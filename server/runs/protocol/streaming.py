"""Answers that last: events as they come, and results that are waited for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from sse_starlette.sse import AppStatus
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.tasks import end
from server.runs.model import Event

SSE: Final = "text/event-stream"
JSON: Final = "application/json"
HEARTBEATS: Final = {SSE: b": heartbeat\n\n", JSON: b"\n"}
_HEARTBEAT_SECONDS: Final = 10
_LOOK_SECONDS: Final = 1.0
# So long the headers of a result may wait for it.
_AT_ONCE_SECONDS: Final = 0.1


def frame(event: Event) -> bytes:
    """Return an event of a run as a frame of server-sent events."""
    return f"event: {event.event}\ndata: {event.json}\nid: {event.id}\n\n".encode()


def mode_of(event: str) -> str:
    """Return the stream mode that an event belongs to, such as `messages` for `messages/partial`."""
    name = event.partition("|")[0]
    return "messages-tuple" if name == "messages" else name.partition("/")[0]


class Lasting(Response):
    """Sends chunks as they come, and heartbeats while none do; notices when the client goes away.

    Args:
        chunks: each is sent as it is.
        media_type: SSE or JSON; tells what a heartbeat looks like.
        headers: the response's.
        on_gone: called when the client goes away before the last chunk.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        media_type: str,
        headers: Mapping[str, str],
        on_gone: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        own = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Type": media_type}
        super().__init__(None, headers={**own, **headers})
        del self.headers["content-length"]
        self._chunks = chunks
        self._heartbeat = HEARTBEATS[media_type]
        self._on_gone = on_gone

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - ASGI's own form
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        pump = asyncio.create_task(self._pump(send), name="stream")
        gone = asyncio.create_task(_gone(receive), name="client")
        try:
            quiet = 0.0
            while not (pump.done() or gone.done() or AppStatus.should_exit):
                await asyncio.wait({pump, gone}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                quiet += _LOOK_SECONDS
                if quiet >= _HEARTBEAT_SECONDS and not pump.done() and not gone.done():
                    quiet = 0.0
                    await send({"type": "http.response.body", "body": self._heartbeat, "more_body": True})
            if gone.done() and not pump.done() and self._on_gone is not None:
                await self._on_gone()
        finally:
            await end(gone)
            await end(pump)
        if not pump.cancelled():
            pump.result()
        # Where the server stops, the answer is cut off: clients take it up again, at another process. Ended in good
        # order, it would seem to be whole.
        if not pump.cancelled() and (not gone.done() or gone.cancelled()):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:  # type: ignore[type-var]  # all of them are generators
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})


class Result(Lasting):
    """Sends one JSON value: whole where it comes at once, else as `Lasting` does.

    Args:
        value: waits for it.
        value_within: waits so many seconds at most; None: it is not there.
        headers: the response's.
        on_gone: called when the client goes away before the value is there.
        then: called when it was sent.
    """

    def __init__(
        self,
        value: Callable[[], Awaitable[str]],
        value_within: Callable[[float], Awaitable[str | None]],
        headers: Mapping[str, str],
        on_gone: Callable[[], Awaitable[Any]] | None = None,
        then: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        super().__init__(_one(value, then), JSON, headers, on_gone)
        self._value_within = value_within
        self._then = then

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        value = await self._value_within(_AT_ONCE_SECONDS)
        if value is None:
            await super().__call__(scope, receive, send)
            return
        body = value.encode()
        headers = [*self.raw_headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
        if self._then is not None:
            await self._then()


async def _one(value: Callable[[], Awaitable[str]], then: Callable[[], Awaitable[Any]] | None) -> AsyncIterator[bytes]:
    yield (await value()).encode()
    if then is not None:
        await then()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
