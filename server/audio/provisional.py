"""Storage as a user's requests and runs have it: what they put there is deleted later, unless a row refers to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from db.database import Database
from server.audio.repository import files
from tools.storage.model import Folder, Storage, Stored

# Longer than any request or step: what is not kept by then was lost in a crash.
_SECONDS: Final = 6 * 3600.0


class ProvisionalStorage:
    """`tools.storage.model.Storage` whose new entries go after some hours, unless `repository.files.keep` says no."""

    def __init__(self, storage: Storage, database: Database, owner_id: UUID) -> None:
        self._storage = storage
        self._database = database
        self._owner_id = owner_id

    async def put(self, folder: Folder, suffix: str, content: AsyncIterator[bytes], *, most_bytes: int) -> Stored:
        """Store a stream under a new key, for the time being."""
        stored = await self._storage.put(folder, suffix, content, most_bytes=most_bytes)
        try:
            async with self._database.transaction(self._owner_id) as session:
                await files.abandon(session, self._owner_id, stored.key, _SECONDS)
        except BaseException:
            await asyncio.shield(self._storage.delete(stored.key))
            raise
        return stored

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Return an entry's bytes as a stream."""
        return await self._storage.get(key)

    def file(self, key: str) -> AbstractAsyncContextManager[Path]:
        """Lend an entry as a file."""
        return self._storage.file(key)

    async def exists(self, key: str) -> bool:
        """Return whether there is such an entry."""
        return await self._storage.exists(key)

    async def delete(self, key: str) -> bool:
        """Delete an entry; return whether there was one."""
        return await self._storage.delete(key)

    def signed_url(self, key: str, lifetime: timedelta) -> str:
        """Return an address by which anybody may get the entry for `lifetime`."""
        return self._storage.signed_url(key, lifetime)

    async def cleanup(self, folder: Folder, older_than: timedelta) -> list[str]:
        """Delete what was stored longer ago than that."""
        return await self._storage.cleanup(folder, older_than)
