"""Profiles of people whom a user talks with, their photos, and where they are heard (A039–A043, G12)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, InvalidInput, NotFound, TooLarge
from db.models.skills import Profile
from server.audio import files
from server.audio.listening import Lent
from server.audio.profile_schemas import NewProfile, PhotoView, ProfileChanges, ProfileList, ProfileView
from server.audio.records import no_such_session
from server.audio.repository import files as file_repository
from server.audio.repository import profiles
from server.multipart import parts
from server.paging import Pagination
from server.runtime import Runtime
from tools.photos.clean import MOST_BYTES, Photo, PhotoCleaner

MOST_PROFILES: Final = 1000
# Lines between the parts of a form.
FORM_BYTES: Final = MOST_BYTES + 64 * 1024
_MEDIA_TYPES: Final = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_CLEANER: Final = PhotoCleaner()


async def list_page(runtime: Runtime, user_id: UUID, *, page: int, page_size: int) -> ProfileList:
    """Return a page of the caller's profiles, newest first."""
    async with runtime.database.transaction(user_id) as session:
        rows, total = await profiles.page(session, user_id, limit=page_size, offset=(page - 1) * page_size)
    shown = [_shown(row) for row in rows]
    return ProfileList(profiles=shown, pagination=Pagination.of(page, page_size, total))


async def read(runtime: Runtime, user_id: UUID, profile_id: UUID) -> ProfileView:
    """Return one profile.

    Raises:
        NotFound: there is no such profile of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        return _shown(await _found(session, user_id, profile_id))


async def create(runtime: Runtime, user_id: UUID, given: NewProfile) -> ProfileView:
    """Make a profile.

    Raises:
        NotFound: the recording or the segment is none of this user's.
        InvalidInput: the times are not within the recording, or the segment is another recording's.
        Conflict: the user has all profiles that one may have.
    """
    async with runtime.database.transaction(user_id) as session:
        if await profiles.count(session, user_id) >= MOST_PROFILES:
            raise Conflict(f"每位用户最多建立{MOST_PROFILES}个档案", code="PROFILE_LIMIT")
        sent = given.model_dump(exclude_unset=True)
        values = sent | await _heard(session, user_id, sent) | {"id": runtime.ids.uuid(), "user_id": user_id}
        return _shown(await profiles.add(session, values))


async def change(runtime: Runtime, user_id: UUID, profile_id: UUID, given: ProfileChanges) -> ProfileView:
    """Change what was sent of a profile.

    Raises:
        NotFound: there is no such profile of this user, or the recording or the segment is none of his.
        InvalidInput: the times are not within the recording, or the segment is another recording's.
    """
    sent = given.model_dump(exclude_unset=True)
    async with runtime.database.transaction(user_id) as session:
        row = await _found(session, user_id, profile_id, lock=True)
        if any(name.startswith("audio_") for name in sent):
            kept = {name: getattr(row, name) for name in _HEARD}
            if "audio_session_id" in sent:
                # What was said of another recording says nothing of this one.
                kept = dict.fromkeys(_HEARD)
            sent |= await _heard(session, user_id, kept | sent)
        for name, value in (sent | {"updated_at": runtime.clock.now()}).items():
            setattr(row, name, value)
        await session.flush()
        return _shown(row)


async def delete(runtime: Runtime, user_id: UUID, profile_id: UUID) -> None:
    """Delete a profile and its photo.

    Raises:
        NotFound: there is no such profile of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        if not await profiles.remove(session, user_id, profile_id):
            raise no_such_profile()
    await files.sweep(runtime.database, runtime.storage, user_id)


async def set_photo(runtime: Runtime, user_id: UUID, profile_id: UUID, request: Request) -> PhotoView:
    """Give a profile a photo, in place of an earlier one.

    Raises:
        NotFound: there is no such profile of this user.
        InvalidInput: the form or the photo cannot be used.
        TooLarge: the photo is over the limit.
    """
    async with runtime.database.transaction(user_id) as session:
        await _found(session, user_id, profile_id)
    photo = await _CLEANER.clean(await _received(request))
    stored = await files.put(runtime, user_id, "photos", photo.kind, _whole(photo), most_bytes=2 * MOST_BYTES)
    try:
        async with runtime.database.transaction(user_id) as session:
            row = await _found(session, user_id, profile_id, lock=True)
            row.photo_path = stored.key
            # Another photo has another address: nobody shows an old one from his cache.
            url = f"/api/v1/profiles/{profile_id}/photo?v={PurePosixPath(stored.key).stem[:8]}"
            row.photo_url, row.updated_at = url, runtime.clock.now()
            await file_repository.keep(session, stored.key)
    except BaseException:
        await asyncio.shield(files.discard(runtime, user_id, stored.key))
        raise
    await files.sweep(runtime.database, runtime.storage, user_id)
    return PhotoView(photo_url=url)


@asynccontextmanager
async def photo(runtime: Runtime, user_id: UUID, profile_id: UUID) -> AsyncIterator[Lent]:
    """Lend a profile's photo.

    Raises:
        NotFound: there is no such profile of this user, or it has no photo.
    """
    async with runtime.database.transaction(user_id) as session:
        row = await _found(session, user_id, profile_id)
    if row.photo_path is None:
        raise NotFound("该档案没有照片")
    async with runtime.storage.file(row.photo_path) as path:
        yield Lent(path, _MEDIA_TYPES[PurePosixPath(row.photo_path).suffix])


def no_such_profile() -> NotFound:
    """Return the error for a profile that does not exist, or is another's."""
    return NotFound("档案不存在")


_HEARD: Final = ("audio_session_id", "audio_segment_id", "audio_start_time", "audio_end_time")


def _shown(row: Profile) -> ProfileView:
    shown = ProfileView.model_validate(row)
    # The segment may have been deleted with its recording.
    return shown if shown.audio_segment_id is not None else shown.model_copy(update={"audio_url": None})


async def _found(session: AsyncSession, user_id: UUID, profile_id: UUID, *, lock: bool = False) -> Profile:
    row = await profiles.find(session, user_id, profile_id, lock=lock)
    if row is None:
        raise no_such_profile()
    return row


async def _heard(session: AsyncSession, user_id: UUID, sent: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that say where a person is heard, checked against the user's own recordings."""
    heard = {name: sent.get(name) for name in _HEARD} | {"audio_url": None}
    if (segment_id := heard["audio_segment_id"]) is not None:
        segment = await profiles.segment(session, user_id, segment_id)
        if segment is None:
            raise NotFound("片段不存在")
        if heard["audio_session_id"] not in (None, segment.session_id):
            raise InvalidInput("片段不属于该录音", code="SEGMENT_OF_ANOTHER_SESSION")
        heard |= {"audio_session_id": segment.session_id, "audio_url": segment.audio_url}
        if heard["audio_start_time"] is None and heard["audio_end_time"] is None:
            heard |= {"audio_start_time": segment.start_time, "audio_end_time": segment.end_time}
    if (session_id := heard["audio_session_id"]) is not None:
        duration = await profiles.duration(session, user_id, session_id)
        if duration is None:
            raise no_such_session()
        _check_times(heard, duration)
    return heard


def _check_times(heard: dict[str, Any], duration: float) -> None:
    start, end = heard["audio_start_time"] or 0.0, heard["audio_end_time"]
    # A client that shows three digits of a duration has rounded it.
    if not start < (round(duration, 3) if end is None else end) <= round(duration, 3):
        raise InvalidInput("时间范围不在录音之内", code="RANGE_INVALID")


async def _received(request: Request) -> bytes:
    """Read the one file of a form; it is small enough for memory."""
    content: bytes | None = None
    async with aclosing(parts(request)) as received:
        async for part in received:
            if part.name != "file" or content is not None:
                raise InvalidInput("请上传一个文件（字段 file）")
            try:
                content = await part.read(MOST_BYTES)
            except TooLarge:
                raise TooLarge(f"照片不能超过{MOST_BYTES // 1024**2}MB") from None
    if content is None:
        raise InvalidInput("请上传一个文件（字段 file）")
    return content


async def _whole(photo: Photo) -> AsyncIterator[bytes]:
    yield photo.content
