"""Files that come and go: what is stored is deleted again unless a row refers to it, also after a crash (G11)."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import structlog

from core.errors import ColloquyError, NotFound
from db.database import Database
from server.audio.provisional import ProvisionalStorage
from server.audio.repository import files
from server.runtime import Runtime
from tools.storage.model import Folder, Storage, Stored

log = structlog.get_logger(__name__)

_SOME: Final = 100


async def put(
    runtime: Runtime, user_id: UUID, folder: Folder, suffix: str, content: AsyncIterator[bytes], *, most_bytes: int
) -> Stored:
    """Store a file as `ProvisionalStorage` does."""
    storage = ProvisionalStorage(runtime.storage, runtime.database, user_id)
    return await storage.put(folder, suffix, content, most_bytes=most_bytes)


async def discard(runtime: Runtime, user_id: UUID, key: str) -> None:
    """Delete a file that was put here and is not kept, now or with the next sweep."""
    async with runtime.database.transaction(user_id) as session:
        await files.expire(session, key)
    await sweep(runtime.database, runtime.storage, user_id)


async def sweep(database: Database, storage: Storage, user_id: UUID | None = None) -> int:
    """Delete files that nothing refers to: a user's, or (with the system role's database) everybody's.

    What the storage does not delete now is left for the next time.

    Returns:
        How many were done with.
    """
    swept, last = 0, ""
    while True:
        async with database.transaction(user_id) as session:
            keys = await files.due(session, user_id, _SOME, last)
        for key in keys:
            if await _delete(storage, key):
                async with database.transaction(user_id) as session:
                    await files.keep(session, key)
                swept += 1
        if len(keys) < _SOME:
            return swept
        last = keys[-1]


async def _delete(storage: Storage, key: str) -> bool:
    try:
        await storage.delete(key)
    except NotFound:
        # No key of ours: there is nothing under it.
        return True
    except (ColloquyError, OSError) as error:
        log.warning("file_not_deleted", error=type(error).__name__)
        return False
    return True
