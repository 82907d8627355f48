"""API keys of machine clients: made, listed and revoked by operators, and one made for development.

All of it works under the system role: a user's request can do none of it.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.files import write_private
from core.ids import new_api_key
from db.database import Database
from db.models.audio import PhoneUser
from db.models.auth import ApiKey, User
from server.auth import repository

DEVELOPMENT: Final = "development"


@dataclass(frozen=True)
class ListedKey:
    """A key as an operator sees it: never the key itself."""

    id: UUID
    name: str
    user_id: UUID
    created_at: datetime
    revoked_at: datetime | None


def digest(key: str) -> bytes:
    """Return what is stored of a key. A key has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).digest()


async def create(session: AsyncSession, name: str, user_id: UUID | None = None) -> str:
    """Make a key, and a user where none is named. The key itself is returned once and stored nowhere.

    Raises:
        NotFound: there is no such user.
    """
    user = User() if user_id is None else await session.get(User, user_id)
    if user is None:
        raise NotFound(f"There is no user {user_id}.")
    session.add(user)
    await session.flush()
    key = new_api_key()
    session.add(ApiKey(user_id=user.id, name=name, key_sha256=digest(key)))
    return key


async def user_with_phone(session: AsyncSession, phone: str) -> UUID:
    """Return the user who logs in with a phone.

    Raises:
        NotFound: nobody has logged in with it yet.
    """
    user_id = await session.scalar(select(PhoneUser.auth_user_id).where(PhoneUser.phone == phone))
    if user_id is None:
        raise NotFound(f"Nobody has logged in with {phone} yet.")
    return user_id


async def every(session: AsyncSession) -> Sequence[ListedKey]:
    """Return all keys, the newest first."""
    rows = await session.execute(
        select(ApiKey.id, ApiKey.name, ApiKey.user_id, ApiKey.created_at, ApiKey.revoked_at).order_by(
            ApiKey.created_at.desc(), ApiKey.id
        )
    )
    return [ListedKey(*row) for row in rows]


async def revoke(session: AsyncSession, key_id: UUID, at: datetime) -> None:
    """Make a key invalid from now on; one that is revoked already stays so.

    Raises:
        NotFound: there is no such key.
    """
    found = await session.scalar(
        update(ApiKey)
        .where(ApiKey.id == key_id)
        .values(revoked_at=func.coalesce(ApiKey.revoked_at, at))
        .returning(ApiKey.id)
    )
    if found is None:
        raise NotFound(f"There is no key {key_id}.")


async def development_key(system: Database, file: Path) -> str:
    """Return the development key, kept in `file` (mode 0600); a new one when the database does not know it."""
    kept = await asyncio.to_thread(_read, file)
    if kept and await repository.by_key(system.pool, digest(kept)):
        return kept
    async with system.transaction() as session:
        key = await create(session, DEVELOPMENT)
        await asyncio.to_thread(_write, file, key)
    return key


def _read(file: Path) -> str | None:
    return file.read_text(encoding="ascii").strip() if file.exists() else None


def _write(file: Path, key: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, key)
