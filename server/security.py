"""Who is calling: a login's token or an API key. `Authorization: Bearer` wins over `x-api-key` where both are there."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from core.errors import Forbidden, Unauthenticated
from core.ids import API_KEY_PREFIX
from server.auth import api_keys, repository
from server.auth.identity import identity_of, keys_of
from server.auth.principal import Principal, Realm, no_caller
from server.runtime import runtime_of

# Declared for the OpenAPI document; the header is read below, because its refusal has to have our shape.
SECURED = [
    Depends(HTTPBearer(auto_error=False, description="A login's token, or an API key")),
    Depends(APIKeyHeader(name="x-api-key", auto_error=False)),
]


async def anybody() -> None:
    """Marks a route that is meant to need no caller; every route has this mark or a principal."""


async def current_principal(request: Request) -> Principal:
    """Return the caller, as the database knows him now (K18, W07).

    Raises:
        Unauthenticated: no credentials, or none that are valid, or of a user who was made inactive.
    """
    credentials = _presented(request)
    if credentials is None:
        raise Unauthenticated("缺少有效的身份凭证")
    if credentials.startswith(API_KEY_PREFIX) or "authorization" not in request.headers:
        principal = await keys_of(request).get(api_keys.digest(credentials))
    else:
        claims = identity_of(request).tokens.read(credentials)
        principal = await repository.by_subject(runtime_of(request).database.pool, claims.subject, claims.realm)
    if principal is None:
        raise no_caller()
    structlog.contextvars.bind_contextvars(user_id=str(principal.user_id))
    return principal


async def acting_principal(request: Request) -> tuple[Principal, bytes | None]:
    """Return the caller, and his key's digest where the statement that acts for him has to check it.

    For the busiest routes: to ask who calls would take them a round trip of its own. Before they read or tell anything
    else, they call `confirm`; what they raise is told only after that.

    Raises:
        Unauthenticated: as `current_principal`.
    """
    credentials = _presented(request)
    if credentials is not None and credentials.startswith(API_KEY_PREFIX):
        digest = api_keys.digest(credentials)
        if (principal := keys_of(request).remembered(digest)) is not None:
            request.state.unconfirmed = digest
            structlog.contextvars.bind_contextvars(user_id=str(principal.user_id))
            return principal, digest
    return await current_principal(request), None


async def confirm(request: Request) -> None:
    """See that the caller whom `acting_principal` gave is one, where no statement has seen that.

    Raises:
        Unauthenticated: his key counts no more.
    """
    digest = getattr(request.state, "unconfirmed", None)
    if digest is not None and await keys_of(request).get(digest) is None:
        raise no_caller()


def _presented(request: Request) -> str | None:
    authorization = request.headers.get("authorization")
    if authorization is None:
        return request.headers.get("x-api-key")
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def of_realm(*realms: Realm) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that lets only these kinds of login pass (K18)."""

    async def check(principal: CurrentPrincipal) -> Principal:
        if principal.realm not in realms:
            raise Forbidden("该登录方式不能使用此接口")
        return principal

    return check


async def current_admin(principal: CurrentPrincipal) -> Principal:
    """Return the caller if he is an administrator (K23).

    Raises:
        Forbidden: he is none.
    """
    if not principal.is_admin:
        raise Forbidden("需要管理员权限")
    return principal


# 000's callers; a key acts as its user everywhere.
PhonePrincipal = Annotated[Principal, Depends(of_realm("phone", "key"))]
AdminPrincipal = Annotated[Principal, Depends(current_admin)]
