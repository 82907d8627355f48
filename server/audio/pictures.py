"""A strategy's pictures, links to them, and their end (A031–A033, G11, W02)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Final
from uuid import UUID

import structlog

from core.clock import Clock
from core.errors import NotFound
from db.database import Database
from server.audio.listening import Lent
from server.audio.repository import pictures, strategies
from server.audio.schemas import PictureLink
from server.runtime import Runtime
from tools.storage.local import LocalStorage
from tools.storage.model import Storage, not_found

log = structlog.get_logger(__name__)

LINK_LIFETIME: Final = timedelta(minutes=10)
MEDIA_TYPES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}
_SOME: Final = 500


@asynccontextmanager
async def picture(runtime: Runtime, user_id: UUID, session_id: UUID, image_index: int) -> AsyncIterator[Lent]:
    """Lend a picture.

    Raises:
        NotFound: there is no such picture of this user (any more), or it could not be made.
    """
    key = await _key(runtime, user_id, session_id, image_index)
    async with runtime.storage.file(key) as path:
        yield Lent(path, MEDIA_TYPES[PurePosixPath(key).suffix])


async def link(runtime: Runtime, user_id: UUID, session_id: UUID, image_index: int) -> PictureLink:
    """Return an address of a picture that works without a login for ten minutes, for pages that show it.

    Raises:
        NotFound: there is no such picture of this user (any more), or it could not be made.
    """
    key = await _key(runtime, user_id, session_id, image_index)
    url = runtime.storage.signed_url(key, LINK_LIFETIME)
    return PictureLink(url=url, expires_at=runtime.clock.now() + LINK_LIFETIME)


@asynccontextmanager
async def signed(runtime: Runtime, key: str, expires: int, signature: str) -> AsyncIterator[Lent]:
    """Lend a file to whoever has its signed address.

    Raises:
        InvalidInput: the address was not signed here, or its time is over.
        NotFound: there is no such picture, or the storage serves its addresses itself.
    """
    if not isinstance(runtime.storage, LocalStorage):
        raise not_found()
    media_type = MEDIA_TYPES.get(PurePosixPath(runtime.storage.signed_key(key, expires, signature)).suffix)
    if media_type is None:
        raise not_found()
    async with runtime.storage.file(key) as path:
        yield Lent(path, media_type)


async def clean_up(system: Database, storage: Storage, clock: Clock, days: int) -> int:
    """Delete pictures that are older than `days`; their entries say `deleted` from then on (A033).

    Args:
        system: the system role's database: pictures of all users.
        storage: where the files are.
        clock: the time.
        days: at least 1.

    Returns:
        How many pictures are gone.
    """
    before, count = clock.now() - timedelta(days=days), 0
    while True:
        async with system.transaction() as session:
            # The entries first: the table leaves their files to the sweep, so that a crash loses none of them.
            gone = await pictures.expire(session, before, _SOME)
        count += gone
        if gone == 0:
            break
    await storage.cleanup("pictures", timedelta(days=days))
    log.info("pictures_cleaned_up", days=days, deleted=count)
    return count


async def _key(runtime: Runtime, user_id: UUID, session_id: UUID, image_index: int) -> str:
    async with runtime.database.transaction(user_id) as session:
        strategy = await strategies.of_session(session, user_id, session_id)
    visuals = [] if strategy is None else strategy.visual_data
    found = next((one for one in visuals if one["image_index"] == image_index), None)
    if found is None or found["status"] != "completed" or "key" not in found:
        raise NotFound("图片不存在或已过期")
    return str(found["key"])
