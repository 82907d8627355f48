"""What a player needs: a recording's bytes, a piece's, and the waveform."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final
from uuid import UUID

from core.errors import NotFound
from server.audio.records import no_such_session
from server.audio.repository import segments, sessions
from server.audio.schemas import Waveform
from server.runtime import Runtime
from tools.audio.model import MOST_BUCKETS

WAV: Final = "audio/wav"


@dataclass(frozen=True)
class Lent:
    """A file that may be read while it is lent, and what it is."""

    path: Path
    media_type: str


@asynccontextmanager
async def recording(runtime: Runtime, user_id: UUID, session_id: UUID) -> AsyncIterator[Lent]:
    """Lend a recording.

    Raises:
        NotFound: there is no such recording of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await sessions.find(session, user_id, session_id)
    if found is None:
        raise no_such_session()
    async with runtime.storage.file(found.audio_path) as path:
        yield Lent(path, found.media_type)


@asynccontextmanager
async def piece(runtime: Runtime, user_id: UUID, session_id: UUID, segment_id: UUID) -> AsyncIterator[Lent]:
    """Lend a piece that was cut out.

    Raises:
        NotFound: there is no such piece of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await segments.by_id(session, user_id, session_id, segment_id)
    if found is None or found.audio_path is None:
        raise NotFound("片段不存在")
    async with runtime.storage.file(found.audio_path) as path:
        yield Lent(path, WAV)


async def waveform(runtime: Runtime, user_id: UUID, session_id: UUID, buckets: int) -> Waveform:
    """Return a recording's waveform; it is drawn once, as finely as can be, and kept.

    Raises:
        NotFound: there is no such recording of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await sessions.find(session, user_id, session_id)
        if found is None:
            raise no_such_session()
        kept = await sessions.peaks_of(session, user_id, session_id)
    if kept is None:
        async with runtime.storage.file(found.audio_path) as path:
            kept = asdict(await runtime.audio_tools.peaks(path, MOST_BUCKETS))
        async with runtime.database.transaction(user_id) as session:
            await sessions.keep_peaks(session, user_id, session_id, kept)
    return coarser(Waveform.model_validate(kept), buckets)


def coarser(fine: Waveform, buckets: int) -> Waveform:
    """Return a waveform with at most this many stretches."""
    count = len(fine.lowest)
    buckets = min(buckets, count)
    borders = [number * count // buckets for number in range(buckets + 1)]
    pairs = list(pairwise(borders))
    return Waveform(
        duration=fine.duration,
        lowest=[min(fine.lowest[low:high]) for low, high in pairs],
        highest=[max(fine.highest[low:high]) for low, high in pairs],
    )
