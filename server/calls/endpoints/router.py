"""The family's router, and which failures its endpoints document."""

from typing import Final

from fastapi import APIRouter

from server.errors import family_router
from server.families import CALLS

_REFUSALS: Final = (400, 401, 404, 409, 413, 429, 500, 502, 504)


def calls_router(path: str) -> APIRouter:
    """Return a router for one resource of the family."""
    return family_router(CALLS, f"/api/v1{path}", _REFUSALS)
