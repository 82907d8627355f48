"""The only place that makes an error response: whatever fails becomes its family's body, status and headers (B033)."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy.exc
import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from core.errors import ColloquyError, ModelFailed, NotFound, TooLarge, Unauthenticated, Unavailable
from server import problems
from server.error_bodies import SERVER_ERROR
from server.families import Family, family_of
from server.security import SECURED, confirm

log = structlog.get_logger(__name__)

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_CRASHED: Final = "服务器内部错误，请稍后重试"


class MethodNotAllowed(ColloquyError):
    """The path exists, without this method."""

    status = 405
    default_code = "METHOD_NOT_ALLOWED"


# What the framework itself refuses.
_FRAMEWORK: Final[dict[int, tuple[type[ColloquyError], str]]] = {
    404: (NotFound, "没有这个地址"),
    405: (MethodNotAllowed, "这个地址不支持该请求方法"),
    413: (TooLarge, "请求体过大"),
}


def render(error: ColloquyError, family: Family) -> JSONResponse:
    """Make the response for an error."""
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if error.allow:
        headers["Allow"] = error.allow
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    body = family.body.of(error).model_dump(mode="json", exclude_none=True)
    return JSONResponse(body, status_code=error.status, headers=headers)


def family_router(family: Family, prefix: str, refusals: tuple[int, ...], *, secured: bool = True) -> APIRouter:
    """Return a router for one resource of a family: its error shape in the answers and in the documentation.

    Args:
        family: whose shape all failures have.
        prefix: the path that all of the router's begin with.
        refusals: the statuses to document.
        secured: whether the documentation says that callers need credentials.
    """
    failures: dict[int | str, dict[str, Any]] = {status: {"model": family.body} for status in refusals}
    if family.malformed.status not in failures:
        failures[family.malformed.status] = {"model": family.body}
    # What FastAPI documents for validation by itself does not happen here.
    failures.setdefault(422, {"model": family.body, "description": "Not used; a broken rule gets 400"})
    return APIRouter(
        prefix=prefix,
        tags=[family.name],
        route_class=family_route(family),
        dependencies=list(SECURED) if secured else [],
        responses=failures,
    )


def family_route(family: Family) -> type[APIRoute]:
    """Return a route class that renders all failures of its endpoints in one family's shape."""

    class FamilyRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            inner = _by_hand(self.endpoint) or super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await inner(request)
                except Exception as error:  # noqa: BLE001 - this is where all of them are rendered
                    return render(translate(error, family, debug=_debug(request)), family)

            return handle

    return FamilyRoute


def resolved(resolve: Callable[[Request], Awaitable[dict[str, Any]]]) -> Callable[[_Endpoint], _Endpoint]:
    """Mark an endpoint of the busiest routes: `resolve` makes its arguments, in place of FastAPI's own resolution.

    Its signature still documents the route. `resolve` has to find out who calls, and to check what it reads.
    """

    def mark(endpoint: _Endpoint) -> _Endpoint:
        endpoint.resolve = resolve  # type: ignore[attr-defined]
        return endpoint

    return mark


def is_by_hand(endpoint: Any) -> bool:
    """Tell whether an endpoint's arguments are made by its own `resolve`."""
    return hasattr(endpoint, "resolve")


def _by_hand(endpoint: Any) -> Handler | None:
    resolve = getattr(endpoint, "resolve", None)
    if resolve is None:
        return None

    async def handle(request: Request) -> Response:
        try:
            response: Response = await endpoint(**await resolve(request))
        except Exception:
            # What is wrong with a request is told to known callers only.
            await confirm(request)
            raise
        return response

    return handle


def translate(error: Exception, family: Family, *, debug: bool = False) -> ColloquyError:
    """Return the error to show for whatever was raised; what is not ours shows no text of its own.

    Args:
        error: what was raised.
        family: whose way to fail applies.
        debug: whether `detail` may hold the exception's text (W28); without it, it is the request's id.
    """
    match error:
        case ModelFailed() if type(error) is ModelFailed and family.model_failed is not ModelFailed:
            shown: ColloquyError = family.model_failed(error.message)
        case ColloquyError():
            shown = error
        case RequestValidationError():
            shown = family.malformed(problems.sentence(error))
        case HTTPException(status_code=400):
            shown = family.malformed("请求体无法解析")
        case HTTPException() if error.status_code in _FRAMEWORK:
            kind, sentence = _FRAMEWORK[error.status_code]
            shown = kind(sentence)
            shown.allow = (error.headers or {}).get("Allow")
        case psycopg.OperationalError() | sqlalchemy.exc.OperationalError():
            log.error("database_unavailable", exc_info=error)
            shown = Unavailable("服务暂不可用，请稍后重试")
        case _:
            log.error("request_crashed", exc_info=error)
            shown = ColloquyError(_CRASHED)
    if shown.status >= SERVER_ERROR:
        # A sentence of ours that stands for something else: what that was.
        reason = error.__cause__ if isinstance(error, ColloquyError) and error.__cause__ else error
        text = f"{type(reason).__name__}: {reason}"
        shown.detail = text if debug else structlog.contextvars.get_contextvars().get("request_id")
    return shown


def _debug(request: Request) -> bool:
    return bool(getattr(request.app.state, "debug", False))


def install(app: FastAPI, *, debug: bool = False) -> None:
    """Render what fails outside a family's routes: unknown paths, wrong methods, crashes in middleware."""
    app.state.debug = debug

    async def handle(request: Request, error: Exception) -> Response:
        family = family_of(request.url.path)
        return render(translate(error, family, debug=debug), family)

    for kind in (HTTPException, RequestValidationError, ColloquyError, Exception):
        app.add_exception_handler(kind, handle)
