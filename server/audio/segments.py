"""A recording's segments, and pieces that are cut out of it (A028, A029, G09, G10)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

from core.errors import Conflict, InvalidInput
from db.models.recordings import AudioSegment
from server.audio import files
from server.audio.records import no_such_session
from server.audio.repository import files as file_repository
from server.audio.repository import segments, sessions
from server.audio.repository.sessions import Found
from server.audio.schemas import Piece, Segment, SegmentList, SegmentRequest
from server.runtime import Runtime
from tools.audio.model import MOST_CUT_SECONDS

MOST_PIECES: Final = 100
# Ten minutes of what is sampled fastest: more than the cutting process may write.
_MOST_BYTES: Final = 512 * 1024**2
_BLOCK: Final = 256 * 1024


async def listed(runtime: Runtime, user_id: UUID, session_id: UUID) -> SegmentList:
    """Return all segments of a recording, in order of time.

    Raises:
        NotFound: there is no such recording of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        if await sessions.find(session, user_id, session_id) is None:
            raise no_such_session()
        rows = await segments.of_session(session, user_id, session_id)
    return SegmentList(segments=[Segment(**_shown(row), text=row.text) for row in rows])


async def extract(runtime: Runtime, user_id: UUID, session_id: UUID, wanted: SegmentRequest) -> Piece:
    """Cut a piece out of a recording and store it; the same piece again is the one that is there.

    Raises:
        NotFound: there is no such recording of this user.
        InvalidInput: the range is not within it, or too long.
        Conflict: it has all pieces that it may have.
        Unavailable: there is no room.
    """
    start, end = round(wanted.start_time, 3), round(wanted.end_time, 3)
    async with runtime.database.transaction(user_id) as session:
        found = await sessions.find(session, user_id, session_id)
        if found is None:
            raise no_such_session()
        _check_range(start, end, found.duration)
        known = await segments.piece(session, user_id, session_id, speaker=wanted.speaker, start=start, end=end)
        if known is None and await segments.count_pieces(session, user_id, session_id) >= MOST_PIECES:
            raise Conflict(f"每段录音最多截取{MOST_PIECES}个片段", code="SEGMENT_LIMIT")
    if known is None:
        known = await _cut(runtime, user_id, found, wanted.speaker, start, min(end, found.duration))
    return Piece(**_shown(known))


def _check_range(start: float, end: float, duration: float) -> None:
    # A client that shows three digits of a duration has rounded it.
    if not 0 <= start < end <= round(duration, 3):
        raise InvalidInput("时间范围应满足 0 ≤ start_time < end_time ≤ 录音时长", code="RANGE_INVALID")
    if end - start > MOST_CUT_SECONDS:
        raise InvalidInput(f"一个片段不能超过{MOST_CUT_SECONDS:.0f}秒", code="RANGE_INVALID")


async def _cut(runtime: Runtime, user_id: UUID, found: Found, speaker: str, start: float, end: float) -> AudioSegment:
    key = await _stored_piece(runtime, user_id, found.audio_path, start, end)
    try:
        return await _kept(runtime, user_id, found, key, speaker=speaker, start=start, end=end)
    except BaseException:
        await asyncio.shield(files.discard(runtime, user_id, key))
        raise


async def _stored_piece(runtime: Runtime, user_id: UUID, recording: str, start: float, end: float) -> str:
    folder = await asyncio.to_thread(TemporaryDirectory, prefix="colloquy-piece-")
    try:
        target = Path(folder.name) / "piece.wav"
        async with runtime.storage.file(recording) as path:
            await runtime.audio_tools.cut(path, start, end, target)
        stored = await files.put(runtime, user_id, "segments", "wav", _blocks(target), most_bytes=_MOST_BYTES)
    finally:
        await asyncio.shield(asyncio.to_thread(folder.cleanup))
    return stored.key


async def _kept(
    runtime: Runtime, user_id: UUID, found: Found, key: str, *, speaker: str, start: float, end: float
) -> AudioSegment:
    segment_id, session_id = runtime.ids.uuid(), found.session_id
    async with runtime.database.transaction(user_id) as session:
        # As the foreign key does, but with a sentence: it may have been deleted while we cut.
        if await sessions.find(session, user_id, session_id, lock=True) is None:
            raise no_such_session()
        values = {
            "id": segment_id,
            "session_id": session_id,
            "user_id": user_id,
            "speaker": speaker,
            "start_time": start,
            "end_time": end,
            "audio_path": key,
            "audio_url": f"/api/v1/tasks/sessions/{session_id}/audio-segments/{segment_id}/audio",
        }
        piece = await segments.add_piece(session, values)
        if piece is not None:
            await file_repository.keep(session, key)
            return piece
        known = await segments.piece(session, user_id, session_id, speaker=speaker, start=start, end=end)
    await files.discard(runtime, user_id, key)
    if known is None:
        raise no_such_session()
    return known


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while block := await asyncio.to_thread(file.read, _BLOCK):
            yield block
    finally:
        await asyncio.to_thread(file.close)


def _shown(row: AudioSegment) -> dict[str, object]:
    return {
        "segment_id": row.id,
        "speaker": row.speaker,
        "start_time": row.start_time,
        "end_time": row.end_time,
        "duration": round(row.end_time - row.start_time, 3),
        "audio_url": row.audio_url,
    }
