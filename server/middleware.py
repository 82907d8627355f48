"""What happens around every request: an id for it, a line in the log, figures, limits on its body and its time."""

import asyncio
import re
import time
from collections.abc import Mapping
from functools import cache
from typing import Final
from uuid import uuid4

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import TimedOut, TooLarge
from server.errors import render, translate
from server.families import family_of
from server.metrics import REQUEST_SECONDS, REQUESTS, REQUESTS_IN_FLIGHT

log = structlog.get_logger("server.access")

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MOST_DIGITS: Final = 18
# Without a login, what follows here lets its bearer in (K20).
_CAPABILITIES: Final = "/api/v1/frontend/sessions/"
_REQUEST_ID: Final = "x-request-id"
_ACCEPTABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestContext:
    """Gives each request an id (the client's own, if it is harmless), returns it, logs and counts the outcome."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(_REQUEST_ID, "")
        request_id = given if _ACCEPTABLE_ID.fullmatch(given) else uuid4().hex
        status, begun = 500, 0.0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], time.perf_counter()
                MutableHeaders(scope=message)[_REQUEST_ID] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id), REQUESTS_IN_FLIGHT.track_inprogress():
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                ended = time.perf_counter()
                _count(scope, status, (begun or ended) - started)
                _log(scope, status, ended - started)


def _count(scope: Scope, status: int, seconds: float) -> None:
    # The route and not the path: paths hold ids, and each would be a series of its own.
    route = getattr(scope.get("route"), "path", "unknown")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    counted, timed = _figures(method, route, status)
    counted.inc()
    timed.observe(seconds)


@cache
def _figures(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return one series each; to find them anew takes longer than to count."""
    return REQUESTS.labels(method, route, str(status)), REQUEST_SECONDS.labels(method, route)


def _log(scope: Scope, status: int, seconds: float) -> None:
    user_id = structlog.contextvars.get_contextvars().get("user_id")
    structlog.contextvars.unbind_contextvars("user_id")
    # The path without its query: parameters may be personal.
    log.info(
        "request",
        method=scope["method"],
        path=_CAPABILITIES if scope["path"].startswith(_CAPABILITIES) else scope["path"],
        status=status,
        user_id=user_id,
        milliseconds=round(seconds * 1000, 1),
    )


class BodyLimit:
    """Refuses bodies over a limit: by their declared length, or as soon as more has come (413)."""

    def __init__(self, app: ASGIApp, max_bytes: int, others: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        # By path: uploads have limits of their own.
        self._others = others or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._others.get(scope["path"], self._max_bytes)
        declared = Headers(scope=scope).get("content-length", "").lstrip("0")
        # By its digits first: a number of thousands of them is none that Python reads.
        if declared.isdecimal() and (len(declared) > _MOST_DIGITS or int(declared) > most):
            response = render(TooLarge("请求体过大"), family_of(scope["path"]))
            await response(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_counted, send)


class Crashes:
    """Renders what crashes outside a family's routes, where the answer still gets its id and is logged and counted."""

    def __init__(self, app: ASGIApp, *, debug: bool) -> None:
        self._app = app
        self._debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            if scope["type"] != "http" or has_begun:
                # There is no answer left to give: the connection breaks, which the client sees.
                raise
            family = family_of(scope["path"])
            await render(translate(error, family, debug=self._debug), family)(scope, receive, send)


class TimeLimit:
    """Ends requests whose answer has not begun in time (504); a stream that has begun may last."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        has_begun = False

        async def send_in_time(message: Message) -> None:
            nonlocal has_begun
            if not has_begun and not timer.expired():
                has_begun = True
                timer.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as timer:
                await self._app(scope, receive, send_in_time)
        except TimeoutError:
            if not timer.expired():
                raise
            response = render(TimedOut("请求处理超时，请稍后重试"), family_of(scope["path"]))
            await response(scope, receive, send)
