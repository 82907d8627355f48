"""`Idempotency-Key`: asking twice for a run gives the same run (24 h, per owner)."""

import hashlib
import re
from typing import Annotated, Final

from fastapi import Depends, Request

from core.errors import InvalidInput
from server.runs.model import Idempotency

_HEADER: Final = "idempotency-key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def key_of(request: Request) -> str | None:
    """Return the client's key.

    Raises:
        InvalidInput: it is empty, too long, or not visible ASCII.
    """
    key = request.headers.get(_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidInput("Idempotency-Key 应为 1 到 255 个可见 ASCII 字符")
    return key


def key_reused() -> InvalidInput:
    """Return the error for a key of another request."""
    return InvalidInput("这个 Idempotency-Key 已用于另一个请求", code="IDEMPOTENCY_KEY_REUSED")


async def idempotency_of(request: Request) -> Idempotency | None:
    """Return the client's key with a digest of its request, so that a key cannot stand for two requests.

    Raises:
        InvalidInput: the key is empty, too long, or not visible ASCII.
    """
    key = key_of(request)
    if key is None:
        return None
    asked = f"{request.method} {request.url.path}\n".encode() + await request.body()
    return Idempotency(key, hashlib.sha256(asked).digest())


RequestIdempotency = Annotated[Idempotency | None, Depends(idempotency_of)]
