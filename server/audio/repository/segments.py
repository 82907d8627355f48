"""SQL of a recording's segments: what was said, and the pieces that were cut out (A028, A029, G09)."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.recordings import AudioSegment
from tools.transcripts.model import Segment

_ROWS: Final = 1000


async def of_session(session: AsyncSession, user_id: UUID, session_id: UUID) -> Sequence[AudioSegment]:
    """Read all segments, in order of time."""
    statement = (
        select(AudioSegment)
        .where(AudioSegment.session_id == session_id, AudioSegment.user_id == user_id)
        .order_by(AudioSegment.start_time, AudioSegment.end_time, AudioSegment.id)
    )
    return (await session.scalars(statement)).all()


async def replace_said(session: AsyncSession, user_id: UUID, session_id: UUID, said: Sequence[Segment]) -> None:
    """Store what was said in place of what was heard before; pieces that were cut out stay."""
    owned = {"session_id": session_id, "user_id": user_id}
    await session.execute(
        delete(AudioSegment).where(
            AudioSegment.session_id == session_id, AudioSegment.user_id == user_id, AudioSegment.audio_path.is_(None)
        )
    )
    rows: list[dict[str, Any]] = [
        owned | {"speaker": one["speaker"], "start_time": one["start"], "end_time": one["end"], "text": one["text"]}
        for one in said
    ]
    for at in range(0, len(rows), _ROWS):
        await session.execute(insert(AudioSegment), rows[at : at + _ROWS])


async def piece(
    session: AsyncSession, user_id: UUID, session_id: UUID, *, speaker: str, start: float, end: float
) -> AudioSegment | None:
    """Read the piece that was cut out before."""
    return await session.scalar(
        select(AudioSegment).where(
            AudioSegment.session_id == session_id,
            AudioSegment.user_id == user_id,
            AudioSegment.speaker == speaker,
            AudioSegment.start_time == start,
            AudioSegment.end_time == end,
            AudioSegment.audio_path.is_not(None),
        )
    )


async def by_id(session: AsyncSession, user_id: UUID, session_id: UUID, segment_id: UUID) -> AudioSegment | None:
    """Read one segment."""
    return await session.scalar(
        select(AudioSegment).where(
            AudioSegment.id == segment_id, AudioSegment.session_id == session_id, AudioSegment.user_id == user_id
        )
    )


async def count_pieces(session: AsyncSession, user_id: UUID, session_id: UUID) -> int:
    """Count the pieces that were cut out of a recording."""
    statement = select(func.count()).where(
        AudioSegment.session_id == session_id, AudioSegment.user_id == user_id, AudioSegment.audio_path.is_not(None)
    )
    return await session.scalar(statement) or 0


async def add_piece(session: AsyncSession, values: dict[str, Any]) -> AudioSegment | None:
    """Write a piece; None where another request has cut the same one meanwhile."""
    return await session.scalar(
        upsert(AudioSegment)
        .values(**values)
        .on_conflict_do_nothing(
            index_elements=["session_id", "start_time", "end_time", "speaker"],
            index_where=AudioSegment.audio_path.is_not(None),
        )
        .returning(AudioSegment)
    )
