"""The family's router, and which failures its endpoints document."""

from typing import Final

from fastapi import APIRouter

from server.errors import family_router
from server.families import AUDIO

_REFUSALS: Final = (400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504)


def audio_router(path: str) -> APIRouter:
    """Return a router for one resource of the family."""
    return family_router(AUDIO, f"/api/v1{path}", _REFUSALS)
