"""Who is calling: a login's token or an API key. `Authorization: Bearer` wins over `x-api-key` where both are there."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from core.errors import Forbidden, Unauthenticated
from core.ids import API_KEY_PREFIX
from server.auth import api_keys, repository
from server.auth.acting import Acting
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
            request.state.unconfirmed = Acting(principal.user_id, "key", digest)
            structlog.contextvars.bind_contextvars(user_id=str(principal.user_id))
            return principal, digest
    return await current_principal(request), None


async def acting_caller(request: Request) -> Acting:
    """Return the caller for `server.auth.acting.answered`, which sees whether he is one.

    For the busiest routes, as `acting_principal`.

    Raises:
        Unauthenticated: as `current_principal`.
    """
    credentials = _presented(request)
    if credentials is None or credentials.startswith(API_KEY_PREFIX) or "authorization" not in request.headers:
        principal, digest = await acting_principal(request)
        if digest is None:
            return Acting(principal.user_id, principal.realm, principal.user_id, is_seen=True)
        caller: Acting = request.state.unconfirmed
        return caller
    claims = identity_of(request).tokens.read(credentials)
    if claims.realm == "key":
        raise no_caller()
    caller = request.state.unconfirmed = Acting(claims.subject, claims.realm, claims.subject)
    structlog.contextvars.bind_contextvars(user_id=str(claims.subject))
    return caller


async def confirm(request: Request) -> None:
    """See that the caller whom `acting_principal` or `acting_caller` gave is one, where no statement has seen that.

    Raises:
        Unauthenticated: his credentials count no more.
    """
    caller: Acting | None = getattr(request.state, "unconfirmed", None)
    if caller is not None and not caller.is_seen:
        await current_principal(request)


def _presented(request: Request) -> str | None:
    authorization = request.headers.get("authorization")
    if authorization is None:
        return request.headers.get("x-api-key")
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


async def _acting(principal: CurrentPrincipal) -> Acting:
    return Acting(principal.user_id, principal.realm, principal.user_id, is_seen=True)


# Documents the endpoints that are resolved by hand, with `acting_caller`.
CurrentActing = Annotated[Acting, Depends(_acting)]


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
