"""The family's router, and which failures its endpoints document."""

from typing import Final

from fastapi import APIRouter

from server.errors import family_router
from server.families import CHAT

_REFUSALS: Final = (400, 401, 403, 409, 413, 429, 440, 500, 503, 504)


def chat_router(path: str) -> APIRouter:
    """Return a router for one part of the family."""
    return family_router(CHAT, f"/api/v1{path}", _REFUSALS)
