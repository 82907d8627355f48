"""SQL of recordings. Every statement names the owner; what is another's does not exist.

A recording's row says `completed` or `failed` for good. Until then its status is that of the newest run of its analysis
since it was last asked for: a run may end where nobody can write the row (a worker that died for the third time).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, String, case, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.platform import Run
from db.models.recordings import AudioTask

SETTLED: Final = ("completed", "failed")
_UNSETTLED: Final = ("pending", "analyzing")
# A run is accepted right after it was asked for; if there is none by then, its process died between the two.
_START_SECONDS: Final = 60
_KEY_HOURS: Final = 24

# The newest run since the analysis was last asked for; of a row that is settled, none.
_run = (
    select(Run.id, Run.status, Run.error_status, Run.error_code, Run.error_message, Run.started_at)
    .where(
        AudioTask.status.in_(_UNSETTLED),
        Run.thread_id == AudioTask.analysis_thread_id,
        Run.owner_id == AudioTask.user_id,
        Run.created_at >= AudioTask.analysis_asked_at,
    )
    .order_by(Run.created_at.desc())
    .limit(1)
    .lateral("run")
)
_begins_late: ColumnElement[bool] = AudioTask.analysis_asked_at < func.now() - text(f"interval '{_START_SECONDS} s'")
_status: ColumnElement[str] = case(
    (AudioTask.status.in_(SETTLED), AudioTask.status),
    (_run.c.status.in_(("scheduled", "pending")), literal("pending", String)),
    (_run.c.status == "running", literal("analyzing", String)),
    (_run.c.status.is_not(None) | _begins_late, literal("failed", String)),
    else_=literal("pending", String),
)
_ITEM: Final = (
    AudioTask.id.label("session_id"),
    AudioTask.title,
    _status.label("status"),
    AudioTask.duration,
    AudioTask.speaker_count,
    AudioTask.emotion_score,
    AudioTask.tags,
    AudioTask.created_at,
)
_STANDING: Final = (
    AudioTask.updated_at,
    AudioTask.error_message,
    AudioTask.status.label("kept_status"),
    AudioTask.analysis_thread_id,
    AudioTask.analysis_asked_at,
    AudioTask.analysis_steps,
    AudioTask.analysis_step_count,
    AudioTask.strategy_id,
    AudioTask.strategy_thread_id,
    AudioTask.strategy_asked_at,
    AudioTask.strategy_steps,
    AudioTask.strategy_step_count,
    AudioTask.audio_path,
    AudioTask.media_type,
    AudioTask.size_bytes,
    _run.c.id.label("run_id"),
    _run.c.error_status.label("run_error_status"),
    _run.c.error_code.label("run_error_code"),
    _run.c.error_message.label("run_error_message"),
    _run.c.started_at.label("run_started_at"),
    func.now().label("now"),
)
Found = Row[*tuple[Any, ...]]


async def find(session: AsyncSession, user_id: UUID, session_id: UUID, *, lock: bool = False) -> Found | None:
    """Read how a recording stands: what lists show of it, and `_STANDING`; locked against other writers if asked."""
    statement = (
        select(*_ITEM, *_STANDING)
        .join(_run, literal(value=True), isouter=True)
        .where(AudioTask.id == session_id, AudioTask.user_id == user_id)
    )
    if lock:
        # First the lock: then the statement sees what the last holder has written.
        held = select(AudioTask.id).where(AudioTask.id == session_id, AudioTask.user_id == user_id)
        await session.execute(held.with_for_update())
    return (await session.execute(statement)).first()


async def page(
    session: AsyncSession, user_id: UUID, status: str | None, *, limit: int, offset: int
) -> tuple[Sequence[Found], int]:
    """Read a page of recordings, newest first, and count all that have this status."""
    wanted = [AudioTask.user_id == user_id] + ([_status == status] if status else [])
    rows = select(*_ITEM).join(_run, literal(value=True), isouter=True).where(*wanted)
    newest_first = (AudioTask.created_at.desc(), AudioTask.id.desc())
    found = (await session.execute(rows.order_by(*newest_first).limit(limit).offset(offset))).all()
    if status:
        counted = select(func.count()).select_from(AudioTask).join(_run, literal(value=True), isouter=True)
    else:
        counted = select(func.count()).select_from(AudioTask)
    return found, await session.scalar(counted.where(*wanted)) or 0


async def add(session: AsyncSession, user_id: UUID, values: dict[str, Any]) -> AudioTask | None:
    """Write a recording; None where one was made by a request with the same key, in the last 24 hours."""
    if (key := values.get("request_key")) is not None:
        old = AudioTask.created_at < func.now() - text(f"interval '{_KEY_HOURS} hours'")
        await session.execute(
            update(AudioTask)
            .where(AudioTask.user_id == user_id, AudioTask.request_key == key, old)
            .values(request_key=None, request_sha256=None)
        )
    statement = (
        insert(AudioTask)
        .values(user_id=user_id, **values)
        .on_conflict_do_nothing(
            index_elements=["user_id", "request_key"], index_where=AudioTask.request_key.is_not(None)
        )
        .returning(AudioTask)
    )
    return await session.scalar(statement)


async def by_key(session: AsyncSession, user_id: UUID, key: str) -> AudioTask | None:
    """Read the recording that a request with this key has made."""
    return await session.scalar(select(AudioTask).where(AudioTask.user_id == user_id, AudioTask.request_key == key))


async def ask_again(session: AsyncSession, user_id: UUID, session_id: UUID) -> None:
    """Note that the analysis is asked for once more: earlier runs count no longer."""
    await session.execute(
        update(AudioTask)
        .where(AudioTask.id == session_id, AudioTask.user_id == user_id)
        .values(status="pending", error_message=None, analysis_asked_at=func.now(), updated_at=func.now())
    )


async def fail(session: AsyncSession, user_id: UUID, session_id: UUID, asked_at: datetime, reason: str) -> None:
    """Keep why the analysis failed that was asked for at an instant (T03); one that is settled stays as it is."""
    await session.execute(
        update(AudioTask)
        .where(
            AudioTask.id == session_id,
            AudioTask.user_id == user_id,
            AudioTask.status.in_(_UNSETTLED),
            AudioTask.analysis_asked_at == asked_at,
        )
        .values(status="failed", error_message=reason, updated_at=func.now())
    )


async def failed(session: AsyncSession, limit: int) -> Sequence[Found]:
    """Read recordings of all users whose analysis failed, and whose rows do not say so yet (as the system role)."""
    statement = (
        select(*_ITEM, *_STANDING, AudioTask.user_id)
        .join(_run, literal(value=True), isouter=True)
        .where(AudioTask.status.in_(_UNSETTLED), _status == "failed")
        .order_by(AudioTask.analysis_asked_at)
        .limit(limit)
    )
    return (await session.execute(statement)).all()


async def remove(session: AsyncSession, user_id: UUID, session_id: UUID) -> list[UUID]:
    """Delete a recording with all that hangs on it, and return the threads of its runs; its files are abandoned."""
    gone = await session.execute(
        delete(AudioTask)
        .where(AudioTask.id == session_id, AudioTask.user_id == user_id)
        .returning(AudioTask.analysis_thread_id, AudioTask.strategy_thread_id)
    )
    return [thread_id for row in gone for thread_id in row if thread_id is not None]


async def speed(session: AsyncSession, user_id: UUID) -> float | None:
    """Return how many seconds the analysis of a second takes, over the user's newest recordings; None without any."""
    newest = (
        select((AudioTask.analysis_seconds / AudioTask.duration).label("speed"))
        .where(AudioTask.user_id == user_id, AudioTask.analysis_seconds.is_not(None), AudioTask.duration > 0)
        .order_by(AudioTask.created_at.desc())
        .limit(20)
        .subquery()
    )
    found: float | None = await session.scalar(select(func.avg(newest.c.speed)))
    return found


async def keep_peaks(session: AsyncSession, user_id: UUID, session_id: UUID, peaks: dict[str, Any]) -> None:
    """Store a recording's waveform."""
    await session.execute(
        update(AudioTask).where(AudioTask.id == session_id, AudioTask.user_id == user_id).values(peaks=peaks)
    )


async def peaks_of(session: AsyncSession, user_id: UUID, session_id: UUID) -> dict[str, Any] | None:
    """Read a recording's waveform, where it was asked for before."""
    found: dict[str, Any] | None = await session.scalar(
        select(AudioTask.peaks).where(AudioTask.id == session_id, AudioTask.user_id == user_id)
    )
    return found
