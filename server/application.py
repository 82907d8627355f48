"""FastAPI's application, with what surrounds a request outside of FastAPI's own wrapping."""

from typing import Any, Final

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_ORIGIN: Final = b"origin"
_CACHEABLE: Final = ("GET", "HEAD")


class Application(FastAPI):
    """Sends each request through its surroundings, from where the busiest routes need not pass the rest of FastAPI."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._within: ASGIApp = super().__call__
        self._across: ASGIApp = self._within
        self._asking: ASGIApp = self._within

    def surround(self, within: ASGIApp, across: ASGIApp, asking: ASGIApp) -> None:
        """Set what requests pass, which ends in `inner`.

        Args:
            within: for those of the application's own origin, or of no page at all.
            across: the same, with what a page of another origin needs, or a cache that may keep the answer for one.
            asking: for what browsers ask before they let such a page send a request.
        """
        self._within, self._across, self._asking = within, across, asking

    def build_middleware_stack(self) -> ASGIApp:
        """Return FastAPI's own layers without the one that renders a crash and raises it again.

        The surroundings render it: raised after its answer, it would be logged twice and close the connection.
        """
        outermost = super().build_middleware_stack()
        return outermost.app if isinstance(outermost, ServerErrorMiddleware) else outermost

    async def inner(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as FastAPI does."""
        await super().__call__(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        if scope["method"] == "OPTIONS":
            await self._asking(scope, receive, send)
            return
        is_across = scope["method"] in _CACHEABLE or any(name == _ORIGIN for name, _ in scope["headers"])
        await (self._across if is_across else self._within)(scope, receive, send)
