"""Logins by e-mail: ask for a code, take it, tell who one is (E048–E052, G62, K18)."""

import math
from uuid import UUID

import structlog

from core.errors import TooManyRequests, Unauthenticated
from server.auth.identity import Identity
from server.auth.principal import Principal
from server.auth.senders import CodeNotSent
from server.counseling import login_repository, repository
from server.counseling.members import Member
from server.counseling.schemas import LoggedIn, Me, StudentMe
from server.metrics import LOGINS
from server.runtime import Runtime

log = structlog.get_logger(__name__)


async def issue(runtime: Runtime, identity: Identity, email: str) -> tuple[UUID, str] | None:
    """Make an address a new code, for `send`; None where it may not have one: the caller is told the same.

    Raises:
        TooManyRequests: the last one was asked for less than a minute ago, or ten within a day; known or not.
    """
    code, now = identity.codes.new(), runtime.clock.now()
    hashed = identity.codes.hashed(email, code)
    issued = await login_repository.issue_code(runtime.database.pool, email, hashed, now)
    if issued.code_id is None:
        wait = math.ceil((issued.next_at - now).total_seconds()) if issued.next_at else 1
        raise TooManyRequests(f"验证码发送过于频繁，请在{wait}秒后重试", retry_after=wait)
    return (issued.code_id, code) if issued.is_known else None


async def send(runtime: Runtime, identity: Identity, email: str, issued: tuple[UUID, str]) -> None:
    """Send a code. After the answer has gone out: neither its time nor a failure tells who is on the list."""
    code_id, code = issued
    try:
        await identity.sender.send("email", email, code)
    except CodeNotSent:
        # The sender has said why.
        log.warning("email_code_not_sent", code_id=str(code_id))
        await login_repository.withdraw_code(runtime.database.pool, code_id)


async def verify(runtime: Runtime, identity: Identity, email: str, code: str) -> LoggedIn:
    """Take a code and give a token.

    Raises:
        Unauthenticated: the code is wrong, used, burned or expired, or the address may not log in; which is not told.
    """
    hashed = identity.codes.hashed(email, code)
    signed_in = await login_repository.sign_in(runtime.database.pool, email, hashed, runtime.clock.now())
    LOGINS.labels("email", signed_in.outcome).inc()
    if signed_in.user_id is None or signed_in.role is None:
        raise Unauthenticated("验证码错误或已失效，请重新获取", code="INVALID_CODE")
    log.info("logged_in", realm="email", user_id=str(signed_in.user_id))
    principal = Principal(signed_in.user_id, signed_in.role == "admin", "email")
    return LoggedIn(token=identity.tokens.issue(principal, signed_in.role).text, role=signed_in.role)


async def me(runtime: Runtime, member: Member) -> Me:
    """Tell who one is; a student also, which visitors are his."""
    who = Me(user_id=member.user_id, email=member.email, role=member.role)
    if member.role != "student":
        return who
    async with runtime.database.transaction(member.user_id) as session:
        instances = await repository.instances_of(session, member.user_id)
    return StudentMe(**vars(who), visitor_instance_ids=list(instances))
