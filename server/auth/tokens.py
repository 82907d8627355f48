"""The one service that signs and reads tokens: JWT, HS256, for both kinds of login (X030, K18)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast, get_args
from uuid import UUID

import jwt

from core.clock import Clock
from core.errors import Unauthenticated
from core.ids import IdSource
from server.auth.principal import Principal, Realm

_ALGORITHM: Final = "HS256"
# Issuer and audience are the same: Colloquy's tokens are for Colloquy.
_NAME: Final = "colloquy"
_CLAIMS: Final = ("iss", "aud", "sub", "realm", "role", "iat", "exp", "jti")


@dataclass(frozen=True)
class Token:
    """A signed token and its lifetime in seconds."""

    text: str
    expires_in: int


@dataclass(frozen=True)
class Claims:
    """What a valid token says. Its role is not among it: that is read from the database."""

    subject: UUID
    realm: Realm


class Tokens:
    """Signs and reads tokens with one secret of at least 32 bytes."""

    def __init__(self, secret: str, lifetime: timedelta, clock: Clock, ids: IdSource) -> None:
        self._secret = secret
        self._lifetime = lifetime
        self._clock = clock
        self._ids = ids

    def issue(self, principal: Principal, role: str | None = None) -> Token:
        """Return a new token for a principal who has just proved who he is; `role` where his family knows more."""
        now = self._clock.now()
        claims = {
            "iss": _NAME,
            "aud": _NAME,
            "sub": str(principal.user_id),
            "realm": principal.realm,
            "role": role or principal.role,
            "iat": int(now.timestamp()),
            "exp": int((now + self._lifetime).timestamp()),
            "jti": self._ids.uuid().hex,
        }
        return Token(jwt.encode(claims, self._secret, _ALGORITHM), int(self._lifetime.total_seconds()))

    def read(self, text: str) -> Claims:
        """Return what a token says.

        Raises:
            Unauthenticated: it was not signed here, is malformed, or has expired.
        """
        try:
            claims = jwt.decode(
                text,
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=_NAME,
                audience=_NAME,
                # The time is our own clock's (X038).
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
            )
            return self._checked(claims)
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, AttributeError):
            raise Unauthenticated("身份凭证无效或已过期") from None

    def _checked(self, claims: dict[str, Any]) -> Claims:
        expires = datetime.fromtimestamp(claims["exp"], UTC)
        if self._clock.now() >= expires or claims["realm"] not in get_args(Realm):
            raise Unauthenticated("身份凭证无效或已过期")
        return Claims(UUID(claims["sub"]), cast(Realm, claims["realm"]))
