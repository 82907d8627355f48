"""Who calls the chat endpoints: anybody who names himself, or a login (K20, FRONTEND_AUTH)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from core.errors import Forbidden, InvalidInput
from db.database import Pool
from server.chat.repository import users
from server.runtime import runtime_of
from server.security import current_principal


@dataclass(frozen=True)
class Caller:
    """A caller: with a login its principal, without one (mode `off`) None."""

    principal_id: UUID | None

    def named(self, given: str | None) -> str:
        """Return the caller's user id: the login's, or without one what the request says.

        Raises:
            InvalidInput: there is no login, and the request names nobody.
        """
        if self.principal_id is not None:
            return str(self.principal_id)
        if given is None:
            raise InvalidInput("参数错误：user_id：缺少此项")
        return given

    def check(self, given: str) -> str:
        """Return a user id that has to be the caller's own (G44).

        Raises:
            Forbidden: it is not the login's.
        """
        if self.principal_id is not None and given != str(self.principal_id):
            raise Forbidden("user_id 与登录用户不符")
        return given

    async def owner(self, pool: Pool, given: str | None) -> UUID | None:
        """Return who owns what the caller has; None for a user who was never seen.

        Raises:
            InvalidInput: there is no login, and the request names nobody.
        """
        return self.principal_id or await users.find_owner(pool, self.named(given))

    async def new_owner(self, pool: Pool, given: str | None, at: datetime) -> UUID:
        """Return who owns what the caller makes; a user who was never seen is made.

        Raises:
            InvalidInput: there is no login, and the request names nobody.
        """
        return self.principal_id or await users.make_owner(pool, self.named(given), at)

    async def owner_of(self, pool: Pool, session_id: UUID, given: str | None) -> UUID | None:
        """Return who owns a session that the request may name without its user: then its id is the capability."""
        if self.principal_id is None and given is None:
            return await users.owner_of_session(pool, session_id)
        return await self.owner(pool, given)


async def current_caller(request: Request) -> Caller:
    """Return the caller.

    Raises:
        Unauthenticated: FRONTEND_AUTH is `token`, and there is no valid login.
    """
    if runtime_of(request).settings.frontend_auth != "token":
        return Caller(None)
    return Caller((await current_principal(request)).user_id)


CurrentCaller = Annotated[Caller, Depends(current_caller)]
