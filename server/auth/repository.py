"""SQL of logins and of who is who. What works before there is a user goes through the database's entry points."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.database import Database, Pool
from db.models.audio import PhoneUser
from server.auth.login_codes import LoginCodes
from server.auth.principal import Principal, Realm


@dataclass(frozen=True)
class Issued:
    """A code that was kept, or since when another one may be asked for."""

    code_id: UUID | None
    next_at: datetime | None


@dataclass(frozen=True)
class SignedIn:
    """What became of a login."""

    outcome: Literal["ok", "refused", "inactive"]
    user_id: UUID | None
    is_admin: bool | None


_CODES: Final = LoginCodes("audio")
_BY_SUBJECT: Final[dict[Realm, bytes]] = {
    "phone": b"SELECT * FROM auth.identify_phone(%s)",
    "email": b"SELECT * FROM auth.identify_email(%s)",
}


async def by_subject(pool: Pool, subject: UUID, realm: Realm) -> Principal | None:
    """Return the active user whom a token names; None when there is none (any more)."""
    if realm not in _BY_SUBJECT:
        return None
    async with pool.connection() as connection:
        cursor = await connection.execute(_BY_SUBJECT[realm], (subject,))
        row = await cursor.fetchone()
    return Principal(**row, realm=realm) if row else None


async def by_key(pool: Pool, sha256: bytes) -> Principal | None:
    """Return the user whom a key acts for; None for an unknown or revoked key, or an inactive user."""
    return (await by_keys(pool, [sha256])).get(sha256)


async def by_keys(pool: Pool, digests: Sequence[bytes]) -> dict[bytes, Principal]:
    """Return the users whom keys act for, by the keys' digests; without those that act for nobody."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT k.sha256, i.user_id, i.is_admin"
            " FROM unnest(%s::bytea[]) AS k(sha256), auth.identify_key(k.sha256) AS i",
            (list(digests),),
        )
        rows = await cursor.fetchall()
    return {row["sha256"]: Principal(user_id=row["user_id"], is_admin=row["is_admin"], realm="key") for row in rows}


async def issue_code(pool: Pool, phone: str, hashed: str, at: datetime) -> Issued:
    """Keep a new code, unless the phone has had one too recently, or too many today."""
    return Issued(**await _CODES.issue(pool, phone, hashed, at))


async def withdraw_code(pool: Pool, code_id: UUID) -> None:
    """Forget a code that could not be sent."""
    await _CODES.withdraw(pool, code_id)


async def sign_in(pool: Pool, phone: str, hashed: str, at: datetime) -> SignedIn:
    """Use a code up; counts a wrong try, makes the user at the first login (A017, A018)."""
    return SignedIn(**await _CODES.sign_in(pool, phone, hashed, at))


async def promote(system: Database, phones: list[str]) -> None:
    """Make the users with these phones administrators (K23). For the system role: no request can reach it."""
    async with system.pool.connection() as connection:
        await connection.execute(
            """
            UPDATE auth.users SET is_admin = true WHERE NOT is_admin
              AND id IN (SELECT auth_user_id FROM audio.users WHERE phone = ANY(%s))
            """,
            (phones,),
        )


async def phone_user(session: AsyncSession, user_id: UUID) -> Row[UUID, str, datetime, datetime | None] | None:
    """Read who somebody is to the phone login."""
    found = await session.execute(
        select(PhoneUser.auth_user_id, PhoneUser.phone, PhoneUser.created_at, PhoneUser.last_login_at).where(
            PhoneUser.auth_user_id == user_id
        )
    )
    return found.first()
