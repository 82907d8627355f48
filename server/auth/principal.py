"""Who calls, and by which kind of login (K16, K18)."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from core.errors import Unauthenticated

Realm = Literal["phone", "email", "key"]


@dataclass(frozen=True)
class Principal:
    """A known caller; `user_id` is `auth.users.id`, the owner of rows and the subject of tokens."""

    user_id: UUID
    is_admin: bool
    realm: Realm

    @property
    def role(self) -> str:
        """What a token says of its bearer; what counts is read from the database at each request."""
        return "admin" if self.is_admin else "user"


def no_caller() -> Unauthenticated:
    """Return the error for credentials that are not valid, or no more."""
    return Unauthenticated("身份凭证无效或已过期")
