"""Who is calling: `Authorization: Bearer <key>` wins over `x-api-key` where both are there."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from core.errors import Unauthenticated
from server.auth import api_keys
from server.auth.api_keys import Principal
from server.runtime import runtime_of

# Declared for the OpenAPI document; the header is read below, because its refusal has to have our shape.
_SCHEMES = [
    Depends(HTTPBearer(auto_error=False, description="An API key")),
    Depends(APIKeyHeader(name="x-api-key", auto_error=False)),
]
SECURED = _SCHEMES


async def current_principal(request: Request) -> Principal:
    """Return the caller.

    Raises:
        Unauthenticated: no key, or none that is valid.
    """
    key = _presented_key(request)
    if key is None:
        raise Unauthenticated("缺少有效的身份凭证")
    principal = await api_keys.find(runtime_of(request).database, key)
    if principal is None:
        raise Unauthenticated("身份凭证无效或已过期")
    return principal


def _presented_key(request: Request) -> str | None:
    authorization = request.headers.get("authorization")
    if authorization is None:
        return request.headers.get("x-api-key")
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
