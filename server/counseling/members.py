"""Who calls: a person of this family, with the role that the database knows now (K18, G62)."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, cast
from uuid import UUID

from fastapi import Depends, Request

from core.errors import Forbidden, NotFound, Unauthenticated
from db.database import Pool
from server.counseling.scopes import RULES, SCOPE_OF, Role, Rule, Scope
from server.runtime import runtime_of
from server.security import CurrentPrincipal

_NOT_FOUND: Final = {
    "session": "会话不存在",
    "instance": "来访者实例不存在",
    "student": "学生不存在",
    "question": "问题不存在",
}


@dataclass(frozen=True)
class Member:
    """A caller with his e-mail, role and class, and the rule of the endpoint that he calls."""

    user_id: UUID
    email: str
    role: Role
    class_id: int | None
    rule: Rule

    @property
    def scope(self) -> Scope:
        """What he sees of others' things."""
        return SCOPE_OF[self.role]


async def current_member(request: Request, principal: CurrentPrincipal) -> Member:
    """Return the caller, if his role may call this endpoint at all.

    Raises:
        Unauthenticated: the login is another family's, or the account is not active (any more).
        Forbidden: the role may not call it.
    """
    found = None
    if principal.realm != "phone":
        found = await _read(runtime_of(request).database.pool, principal.user_id)
    if found is None:
        raise Unauthenticated("身份凭证无效或已过期")
    rule = RULES[request.method, cast("Any", request.scope["route"]).path]
    member = Member(principal.user_id, found["email"], found["role"], found["class_id"], rule)
    if not rule.admits(member.role):
        raise Forbidden("当前角色不能使用此接口")
    return member


CurrentMember = Annotated[Member, Depends(current_member)]


async def _read(pool: Pool, user_id: UUID) -> dict[str, Any] | None:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT * FROM counseling.member(%s)", (user_id,))
        return await cursor.fetchone()


def id_of(member: Member, text: str) -> UUID:
    """Return the id of what a request is about.

    Raises:
        NotFound: nothing can have such an id (E008).
    """
    try:
        return UUID(text)
    except ValueError:
        raise no_such(member) from None


def no_such(member: Member) -> NotFound:
    """Return the error for a thing that does not exist."""
    return NotFound(_NOT_FOUND[str(member.rule.about)])


def check(member: Member, found: tuple[UUID, Scope | None] | None) -> UUID:
    """Return whose the thing is that a request is about.

    Raises:
        NotFound: there is no such thing.
        Forbidden: there is, out of the caller's range (G59).
    """
    if found is None:
        raise no_such(member)
    student_id, scope = found
    if scope != member.scope:
        raise Forbidden("数据不在当前角色的范围内")
    return student_id
