"""The only place that makes an error response. Each family has its own shape (K02), used for all of its failures."""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from core.errors import ColloquyError, InvalidInput, NotFound, TooLarge, Unauthenticated

log = structlog.get_logger(__name__)

Shape = Callable[[ColloquyError], dict[str, Any]]
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class MethodNotAllowed(ColloquyError):
    """The path exists, without this method."""

    status = 405
    default_code = "METHOD_NOT_ALLOWED"


def plain_shape(error: ColloquyError) -> dict[str, Any]:
    """Render for paths of no family, and for the LangGraph protocol."""
    return {"detail": error.message}


def nested_shape(error: ColloquyError) -> dict[str, Any]:
    """Render for voice calls (002; the seed gives no shape, K02 does)."""
    return {"success": False, "error": {"code": error.code, "message": error.message}}


# What the framework itself refuses.
_FRAMEWORK: dict[int, tuple[type[ColloquyError], str]] = {
    400: (InvalidInput, "请求体无法解析"),
    404: (NotFound, "没有这个地址"),
    405: (MethodNotAllowed, "这个地址不支持该请求方法"),
    413: (TooLarge, "请求体过大"),
}

# Which family a path belongs to, for what fails before a route is found.
_SHAPES: tuple[tuple[str, Shape], ...] = (
    ("/api/v1/call-records", nested_shape),
    ("/api/v1/agents", nested_shape),
)


def shape_of(path: str) -> Shape:
    """Return the shape of the family that a path belongs to, by whole path segments."""
    for prefix, shape in _SHAPES:
        if path == prefix or path.startswith(prefix + "/"):
            return shape
    return plain_shape


def render(error: ColloquyError, shape: Shape) -> JSONResponse:
    """Make the response for an error."""
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else None
    return JSONResponse(shape(error), status_code=error.status, headers=headers)


def family_route(shape: Shape) -> type[APIRoute]:
    """Return a route class that renders all failures of its endpoints in one family's shape."""

    class FamilyRoute(APIRoute):
        def get_route_handler(self) -> _Handler:
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await inner(request)
                except Exception as error:  # noqa: BLE001 - this is where all of them are rendered
                    return render(translate(error), shape)

            return handle

    return FamilyRoute


def translate(error: Exception) -> ColloquyError:
    """Return the error to show for whatever was raised; what is not ours shows no text of its own."""
    match error:
        case ColloquyError():
            return error
        case RequestValidationError():
            return InvalidInput(_first_problem(error))
        case HTTPException() if error.status_code in _FRAMEWORK:
            kind, sentence = _FRAMEWORK[error.status_code]
            return kind(sentence)
        case _:
            log.error("request_crashed", exc_info=error)
            return ColloquyError("服务器内部错误，请稍后重试")


def _first_problem(error: RequestValidationError) -> str:
    # The place and the rule, never the value: it may be a secret, or longer than a sentence.
    problem = error.errors()[0]
    if problem["type"] == "json_invalid":
        return "请求体不是有效的 JSON"
    if problem["loc"] == ("body",) and problem["type"] != "missing":
        return "请求体应为 JSON 对象（Content-Type: application/json）"
    place = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path"))
    rule = str(problem["msg"]).removeprefix("Value error, ")
    return f"参数错误：{place}：{rule}" if place else f"参数错误：{rule}"


def install(app: FastAPI) -> None:
    """Render what fails outside a family's routes: unknown paths, wrong methods, crashes in middleware."""

    async def handle(request: Request, error: Exception) -> Response:
        return render(translate(error), shape_of(request.url.path))

    for kind in (HTTPException, RequestValidationError, ColloquyError, Exception):
        app.add_exception_handler(kind, handle)
