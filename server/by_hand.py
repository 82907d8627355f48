"""What the busiest endpoints read of a request themselves, with FastAPI's errors, and how they answer."""

from typing import Any, Final, TypeVar
from uuid import UUID

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError

_Model = TypeVar("_Model", bound=BaseModel)
_UUID: Final = TypeAdapter(UUID)
JSON: Final = "application/json"


def parsed(model: type[_Model], data: bytes, context: dict[str, Any] | None = None) -> _Model:
    """Read a request's body.

    Raises:
        RequestValidationError: it breaks a rule.
    """
    try:
        return model.model_validate_json(data, context=context)
    except ValidationError as error:
        raise RequestValidationError([{**problem, "loc": _place(problem)} for problem in error.errors()]) from None


def _place(problem: Any) -> tuple[int | str, ...]:
    if problem["loc"] or problem["type"] == "model_type":
        return ("body", *problem["loc"])
    # Fields that do not go together have no place of their own.
    return ("body", "")


async def json_of(request: Request, model: type[_Model]) -> _Model:
    """Read a body that has to be declared as JSON.

    Raises:
        RequestValidationError: it is not, is none, or breaks a rule.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != JSON and not (declared.startswith("application/") and declared.endswith("+json")):
        raise RequestValidationError([{"type": "model_attributes_type", "loc": ("body",), "msg": ""}])
    return parsed(model, await request.body())


def query_of(request: Request, model: type[_Model]) -> _Model:
    """Read a request's query; parameters that the model does not know are ignored, as everywhere.

    Raises:
        RequestValidationError: a parameter breaks a rule.
    """
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        problems = [{**problem, "loc": ("query", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(problems) from None


def id_of(request: Request, name: str) -> UUID:
    """Return an id that a request's path names.

    Raises:
        RequestValidationError: it is no UUID.
    """
    try:
        return _UUID.validate_python(request.path_params[name])
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("path", name)} for one in error.errors()]) from None


def shown(body: BaseModel) -> Response:
    """Return a body as JSON; it is of the route's model already, and is not checked a second time."""
    return Response(body.model_dump_json(by_alias=True), media_type=JSON)
