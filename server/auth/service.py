"""Logins by phone: send a code, take it, tell who one is (A011–A020)."""

import math

import structlog

from core.clock import render_seconds
from core.errors import ColloquyError, Forbidden, InvalidInput, NotFound, TooManyRequests
from server.auth import repository
from server.auth.identity import Identity
from server.auth.principal import Principal
from server.auth.schemas import EchoedCode, LoggedIn, Me, SentCode
from server.auth.senders import CodeNotSent
from server.metrics import LOGINS
from server.runtime import Runtime

log = structlog.get_logger(__name__)


class CodeUndelivered(ColloquyError):
    """The gateway did not take the code."""

    status = 502
    default_code = "CODE_NOT_SENT"


async def send_code(runtime: Runtime, identity: Identity, phone: str) -> SentCode:
    """Send a phone a new code; an older one ceases to be valid.

    Raises:
        TooManyRequests: the last one was sent less than a minute ago, or ten within a day.
        CodeUndelivered: it could not be sent; another one may be asked for at once.
    """
    code, now = identity.codes.new(), runtime.clock.now()
    hashed = identity.codes.hashed(phone, code)
    issued = await repository.issue_code(runtime.database.pool, phone, hashed, now)
    if issued.code_id is None:
        wait = math.ceil((issued.next_at - now).total_seconds()) if issued.next_at else 1
        raise TooManyRequests(f"验证码发送过于频繁，请在{wait}秒后重试", retry_after=wait)
    try:
        await identity.sender.send("sms", phone, code)
    except CodeNotSent:
        await repository.withdraw_code(runtime.database.pool, issued.code_id)
        raise CodeUndelivered("验证码发送失败，请稍后重试") from None
    return EchoedCode(phone=phone, code=code) if identity.echoes_codes else SentCode(phone=phone)


async def log_in(runtime: Runtime, identity: Identity, phone: str, code: str) -> LoggedIn:
    """Take a code and give a token; the first login makes the user.

    Raises:
        InvalidInput: the code is wrong, used, burned or expired; which of these is not told.
        Forbidden: the account was made inactive.
    """
    hashed = identity.codes.hashed(phone, code)
    signed_in = await repository.sign_in(runtime.database.pool, phone, hashed, runtime.clock.now())
    LOGINS.labels("phone", signed_in.outcome).inc()
    if signed_in.outcome == "inactive":
        raise Forbidden("账号已停用")
    if signed_in.user_id is None:
        raise InvalidInput("验证码错误或已失效，请重新获取", code="INVALID_CODE")
    is_admin = bool(signed_in.is_admin)
    if not is_admin and phone in identity.admin_phones:
        await repository.promote(runtime.system, [phone])
        is_admin = True
    log.info("logged_in", realm="phone", user_id=str(signed_in.user_id))
    token = identity.tokens.issue(Principal(signed_in.user_id, is_admin, "phone"))
    return LoggedIn(token=token.text, user_id=signed_in.user_id, expires_in=token.expires_in)


async def me(runtime: Runtime, principal: Principal) -> Me:
    """Tell who one is.

    Raises:
        NotFound: the caller has no phone (a machine's user).
    """
    async with runtime.database.transaction(principal.user_id) as session:
        row = await repository.phone_user(session, principal.user_id)
    if row is None:
        raise NotFound("该账号没有绑定手机号")
    return Me(
        user_id=row.auth_user_id,
        phone=row.phone,
        created_at=render_seconds(row.created_at),
        last_login_at=render_seconds(row.last_login_at) if row.last_login_at else None,
    )
