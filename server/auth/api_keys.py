"""API keys of machine clients: made, found, and one for development."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import new_api_key
from db.database import Database
from db.models.auth import ApiKey, User

DEVELOPMENT: Final = "development"


@dataclass(frozen=True)
class Principal:
    """Who calls."""

    user_id: UUID
    is_admin: bool


def digest(key: str) -> bytes:
    """Return what is stored of a key. A key has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).digest()


async def find(database: Database, key: str) -> Principal | None:
    """Return whom a key acts for; None for an unknown or revoked one."""
    async with database.pool.connection() as connection:
        cursor = await connection.execute("SELECT * FROM auth.identify_key(%s)", (digest(key),))
        row = await cursor.fetchone()
    return Principal(**row) if row else None


async def create(session: AsyncSession, name: str, user_id: UUID | None = None) -> str:
    """Make a key, and a user where none is named. The key itself is returned once and stored nowhere."""
    if user_id is None:
        user = User()
        session.add(user)
        await session.flush()
        user_id = user.id
    key = new_api_key()
    session.add(ApiKey(user_id=user_id, name=name, key_sha256=digest(key)))
    return key


async def development_key(system: Database, file: Path) -> str:
    """Return the development key, kept in `file` (mode 0600); a new one when the database does not know it."""
    kept = await asyncio.to_thread(_read, file)
    if kept and await find(system, kept):
        return kept
    async with system.transaction() as session:
        key = await create(session, DEVELOPMENT)
        await asyncio.to_thread(_write, file, key)
    return key


def _read(file: Path) -> str | None:
    return file.read_text(encoding="ascii").strip() if file.exists() else None


def _write(file: Path, key: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(key, encoding="ascii")
