"""Wire models of `/api/v1/auth` (A011–A016): envelope `code` / `message` / `data` (A009)."""

import re
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, WithJsonSchema

T = TypeVar("T")


def _digits(count: int) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(rf"[0-9]{{{count}}}", value):
            raise ValueError(f"应为{count}位数字")
        return value

    return AfterValidator(check)


Phone = Annotated[str, _digits(11), WithJsonSchema({"type": "string", "pattern": "^[0-9]{11}$"})]
Code = Annotated[str, _digits(6), WithJsonSchema({"type": "string", "pattern": "^[0-9]{6}$"})]


class Envelope(BaseModel, Generic[T]):
    """The family's envelope; `code` is the HTTP status."""

    code: int = 200
    message: str = "success"
    data: T


class CodeRequest(BaseModel):
    """Whom to send a code."""

    phone: Phone


class Login(BaseModel):
    """The code that was sent."""

    phone: Phone
    code: Code


class SentCode(BaseModel):
    """Where a code went."""

    phone: str


class EchoedCode(SentCode):
    """The code too: with ENV=development and AUTH_ECHO_CODE=1 only (W01)."""

    code: str


class LoggedIn(BaseModel):
    """A token, and its lifetime in seconds (A014, A020)."""

    token: str
    user_id: UUID
    expires_in: int


class Me(BaseModel):
    """Who one is (A015)."""

    user_id: UUID
    phone: str
    created_at: str
    last_login_at: str | None
