"""The family's routers, and which failures their endpoints document."""

from typing import Final

from fastapi import APIRouter

from server.errors import family_router
from server.families import COUNSELING

_REFUSALS: Final = (400, 401, 403, 404, 409, 413, 429, 500, 502, 504)


def counseling_router(path: str, *, secured: bool = True) -> APIRouter:
    """Return a router for one resource of the family; its paths begin at the root (K09)."""
    return family_router(COUNSELING, path, _REFUSALS, secured=secured)
