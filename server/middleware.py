"""What happens around every request: an id for it, a line in the log, figures, limits on its body and its time."""

import asyncio
import logging
import os
import re
import time
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import TimedOut, TooLarge
from server.errors import render, translate
from server.families import family_of
from server.metrics import REQUEST_SECONDS, REQUESTS, REQUESTS_IN_FLIGHT, series

_ACCESS: Final = logging.getLogger("server.access")
log = structlog.get_logger(_ACCESS.name)

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MOST_DIGITS: Final = 18
# Without a login, what follows here lets its bearer in (K20).
_CAPABILITIES: Final = "/api/v1/frontend/sessions/"
_REQUEST_ID: Final = b"x-request-id"
_ACCEPTABLE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class Surroundings:
    """Gives each request an id (the client's own, if it is harmless) and returns it; logs and counts the outcome.

    Bodies over a limit are refused (413): by their declared length, or as soon as more has come. A request whose answer
    has not begun in time is ended (504); a stream that has begun may last. What crashes outside a family's routes is
    rendered in the family's shape.

    One layer and not one for each: all of them pass on every message, and that is most of what a short request costs.

    Args:
        app: answers.
        seconds: until an answer begins.
        max_bytes: of a request's body.
        max_bytes_of: by path, where it is another number: uploads have limits of their own.
        debug: whether an answer may tell what crashed (W28).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        seconds: float | None = None,
        max_bytes: int = 2**63,
        max_bytes_of: Mapping[str, int] | None = None,
        debug: bool = False,
    ) -> None:
        self._app = app
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._max_bytes_of = max_bytes_of or {}
        self._debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._max_bytes_of.get(scope["path"], self._max_bytes)
        exchange = _Exchange(scope, receive, send, most)
        REQUESTS_IN_FLIGHT.inc()
        tokens = structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            await self._answer(exchange)
        except Exception as error:
            if exchange.begun is not None:
                # There is no answer left to give: the connection breaks, which the client sees.
                raise
            family = family_of(scope["path"])
            await render(translate(error, family, debug=self._debug), family)(scope, receive, exchange.send)
        finally:
            REQUESTS_IN_FLIGHT.dec()
            exchange.note()
            structlog.contextvars.reset_contextvars(**tokens)

    async def _answer(self, exchange: "_Exchange") -> None:
        if exchange.declares_too_much:
            raise TooLarge("请求体过大")
        try:
            async with asyncio.timeout(self._seconds) as timer:
                exchange.timer = timer
                await self._app(exchange.scope, exchange.receive, exchange.send)
        except TimeoutError:
            if not timer.expired():
                raise
            raise TimedOut("请求处理超时，请稍后重试") from None
        finally:
            # What is rendered for a crash is sent after the block, and a timer that has ended cannot be set.
            exchange.timer = None


class _Exchange:
    """One request and its answer, as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._most = most
        self._received = 0
        # Of several the last one counts, as in a mapping.
        headers = dict(scope["headers"])
        given = headers.get(_REQUEST_ID, b"")
        self.request_id: str = given.decode() if _ACCEPTABLE_ID.fullmatch(given) else os.urandom(16).hex()
        self._declared: bytes = headers.get(b"content-length", b"")
        self._status = 500
        self._started = time.perf_counter()
        self.begun: float | None = None
        """When the answer's first byte was sent."""
        self.timer: asyncio.Timeout | None = None

    @property
    def declares_too_much(self) -> bool:
        """Whether the body says that it is over the limit."""
        declared = self._declared.lstrip(b"0")
        # By its digits first: a number of thousands of them is none that Python reads.
        return declared.isdigit() and (len(declared) > _MOST_DIGITS or int(declared) > self._most)

    async def receive(self) -> Message:
        """Pass on a part of the body.

        Raises:
            HTTPException: it is longer than it may be.
        """
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            raise HTTPException(413)
        return message

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer; its head with the request's id."""
        if message["type"] == "http.response.start":
            self._status, self.begun = message["status"], time.perf_counter()
            message["headers"] = [*message.get("headers", ()), (_REQUEST_ID, self.request_id.encode())]
            if self.timer is not None and not self.timer.expired():
                self.timer.reschedule(None)
        await self._send(message)

    def note(self) -> None:
        """Count and log how it went."""
        ended = time.perf_counter()
        _count(self.scope, self._status, (self.begun or ended) - self._started)
        _log(self.scope, self._status, ended - self._started)


def _count(scope: Scope, status: int, seconds: float) -> None:
    # The route and not the path: paths hold ids, and each would be a series of its own.
    route = getattr(scope.get("route"), "path", "unknown")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    series(REQUESTS, method, route, str(status)).inc()
    series(REQUEST_SECONDS, method, route).observe(seconds)


def _log(scope: Scope, status: int, seconds: float) -> None:
    # To look for him takes longer than all else here.
    user_id = structlog.contextvars.get_contextvars().get("user_id") if _ACCESS.isEnabledFor(logging.INFO) else None
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
