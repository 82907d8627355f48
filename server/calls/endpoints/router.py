"""The family's router: its prefix, its error shape, and its failures in the API documentation."""

from typing import Any, Final

from fastapi import APIRouter

from server.calls.schemas import ErrorAnswer
from server.errors import family_route, nested_shape
from server.security import SECURED

_REFUSALS: Final = (400, 401, 404, 409, 413, 500, 502, 504)


def calls_router(path: str) -> APIRouter:
    """Return a router for one resource of the family."""
    failures: dict[int | str, dict[str, Any]] = {status: {"model": ErrorAnswer} for status in _REFUSALS}
    # What FastAPI would document for validation does not happen here: it is a 400 (K03).
    failures[422] = {"model": ErrorAnswer, "description": "Not used; a request that breaks a rule gets 400"}
    return APIRouter(
        prefix=f"/api/v1{path}",
        tags=["calls"],
        route_class=family_route(nested_shape),
        dependencies=list(SECURED),
        responses=failures,
    )
