"""The family's routers: interpret and confirm fail in one of the seed's shapes, the others in the other (W15)."""

from typing import Final

from fastapi import APIRouter

from server.errors import family_router
from server.families import EXECUTE, INTERPRET, Family

PREFIX: Final = "/v1/api"
_REFUSALS: Final = (400, 401, 403, 404, 409, 413, 429, 500, 502, 504)


def interpret_router() -> APIRouter:
    """Return a router whose failures have `msg`."""
    return _router(INTERPRET)


def execute_router() -> APIRouter:
    """Return a router whose failures have `message`."""
    return _router(EXECUTE)


def _router(family: Family) -> APIRouter:
    return family_router(family, PREFIX, _REFUSALS)
