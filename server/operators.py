"""What operators do at the command line, under the system role."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import SystemClock, render_seconds
from core.errors import Conflict
from core.keyring import Keyring
from core.settings import Settings
from db import backup
from db.database import Database
from db.roles import role_url
from server.auth import api_keys
from server.database import located, migrate


@asynccontextmanager
async def operating(settings: Settings) -> AsyncIterator[AsyncSession]:
    """Open a transaction that sees all rows, on a database that is at the current schema."""
    async with located(settings) as url:
        await migrate(url, vectors=settings.embeds)
        system = Database(role_url(url, "system"), pool_size=1)
        try:
            async with system.transaction() as session:
                yield session
        finally:
            await system.close()


async def create_key(settings: Settings, name: str, user_id: UUID | None, phone: str | None) -> None:
    """Make a key and print it.

    Raises:
        NotFound: there is no such user.
    """
    async with operating(settings) as session:
        owner = await api_keys.user_with_phone(session, phone) if phone else user_id
        key = await api_keys.create(session, name, owner)
    typer.echo(key)


async def list_keys(settings: Settings) -> None:
    """Print a line a key."""
    async with operating(settings) as session:
        keys = await api_keys.every(session)
    for key in keys:
        state = f"revoked {render_seconds(key.revoked_at)}" if key.revoked_at else "valid"
        typer.echo(f"{key.id}  {render_seconds(key.created_at)}  user {key.user_id}  {state:30}  {key.name}")


async def revoke_key(settings: Settings, key_id: UUID) -> None:
    """Make a key invalid.

    Raises:
        NotFound: there is no such key.
    """
    async with operating(settings) as session:
        await api_keys.revoke(session, key_id, SystemClock().now())
    typer.echo(f"The key {key_id} is revoked.")


async def reencrypt(settings: Settings) -> None:
    """Bring all that is encrypted under the newest keys, and print what became of it.

    Raises:
        Conflict: some of it could not be read.
    """
    from checkpoints import reencryption as checkpoints_reencryption  # noqa: PLC0415 - other commands start without it
    from server.calls import reencryption as calls_reencryption  # noqa: PLC0415
    from server.calls.aliyun import secrets_keyring  # noqa: PLC0415

    failed = 0
    keys = settings.checkpoint_key
    async with located(settings) as url:
        await migrate(url)
        system = Database(role_url(url, "system"), pool_size=1)
        await system.open()
        try:
            secrets = await asyncio.to_thread(secrets_keyring, settings)
            tables = [calls_reencryption.reencrypt(system.pool, secrets)]
            if keys is not None:
                tables.append(checkpoints_reencryption.reencrypt(system.pool, Keyring.parse(keys.get_secret_value())))
            for table in tables:
                async for name, count in table:
                    typer.echo(f"{name}: {count.rewritten} brought under the newest key, {count.failed} unreadable")
                    failed += count.failed
        finally:
            await system.close()
    if failed:
        raise Conflict(f"{failed} values could not be read: their keys are not in the ring, or they were changed.")


async def back_up(settings: Settings, file: Path) -> None:
    """Write the whole database into a file.

    Raises:
        BackupError: it cannot be done; the message says why.
    """
    async with located(settings) as url:
        await asyncio.to_thread(backup.dump, url, file)
    typer.echo(f"The database is in {file}.")


async def restore(settings: Settings, file: Path) -> None:
    """Load a backup into an empty database.

    Raises:
        BackupError: it cannot be done; the message says why.
    """
    async with located(settings) as url:
        await asyncio.to_thread(backup.restore, url, file)
    typer.echo("The database is restored. Now bring it to the current schema: colloquy migrate")
