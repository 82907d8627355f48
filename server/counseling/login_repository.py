"""SQL of e-mail logins, through the database's entry points; and of the administrators that the settings name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from db.database import Database, Pool
from server.auth.login_codes import LoginCodes
from server.counseling.scopes import Role
from server.counseling.whitelist import clean_email


@dataclass(frozen=True)
class Issued:
    """A code that was kept and whether it may be sent, or since when another one may be asked for."""

    code_id: UUID | None
    next_at: datetime | None
    is_known: bool


@dataclass(frozen=True)
class SignedIn:
    """What became of a login."""

    outcome: Literal["ok", "refused", "inactive"]
    user_id: UUID | None
    role: Role | None


_CODES: Final = LoginCodes("counseling")


async def issue_code(pool: Pool, email: str, hashed: str, at: datetime) -> Issued:
    """Keep a new code, unless the address has asked too recently, or too often today."""
    return Issued(**await _CODES.issue(pool, email, hashed, at))


async def withdraw_code(pool: Pool, code_id: UUID) -> None:
    """Forget a code that could not be sent."""
    await _CODES.withdraw(pool, code_id)


async def sign_in(pool: Pool, email: str, hashed: str, at: datetime) -> SignedIn:
    """Use a code up; counts a wrong try."""
    return SignedIn(**await _CODES.sign_in(pool, email, hashed, at))


async def appoint(system: Database, emails: Sequence[str], at: datetime) -> None:
    """Let these addresses log in, as administrators (K23). For the system role: no request can reach it.

    Who is on the list already keeps his role and status there.
    """
    async with system.pool.connection() as connection, connection.transaction():
        for email in map(clean_email, emails):
            await connection.execute(
                "INSERT INTO counseling.whitelist_emails (email, role, status, created_at, updated_at)"
                " VALUES (%s, 'admin', 'active', %s, %s) ON CONFLICT DO NOTHING",
                (email, at, at),
            )
            cursor = await connection.execute(
                "SELECT auth_user_id FROM counseling.users WHERE email = %s FOR UPDATE", (email,)
            )
            known = await cursor.fetchone()
            if known is not None:
                await connection.execute(
                    "UPDATE auth.users SET is_admin = true WHERE id = %s AND NOT is_admin", (known["auth_user_id"],)
                )
                continue
            cursor = await connection.execute("INSERT INTO auth.users (is_admin) VALUES (true) RETURNING id")
            made = await cursor.fetchone() or {}
            await connection.execute(
                "INSERT INTO counseling.users (auth_user_id, email, role, created_at, updated_at)"
                " VALUES (%s, %s, 'admin', %s, %s)",
                (made["id"], email, at, at),
            )
