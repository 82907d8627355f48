"""What the audio workflows read and write, for one owner: the SQL behind their Protocols."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, NotFound
from db.database import Database
from nodes.audio_analysis.records import Analysis, Recording
from nodes.audio_strategy.records import AnalysedSession, SkillExecution, Strategy, Visual
from server.audio.repository import analyses, files, segments, sessions, strategies
from server.audio.repository.analyses import Work
from tools.transcripts.model import Segment

Settle = Callable[[], Awaitable[None]]


def no_such_session() -> NotFound:
    """Return the error for a recording that does not exist, or is another's."""
    return NotFound("录音不存在")


def not_analysed() -> Conflict:
    """Return the error for what has to wait for the analysis (G08)."""
    return Conflict("录音尚未分析完成", code="ANALYSIS_NOT_COMPLETED")


class _Records:
    """A run's way to its owner's recordings."""

    def __init__(self, database: Database, owner_id: UUID, settle: Settle) -> None:
        self._database = database
        self._owner_id = owner_id
        self._settle = settle

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncSession]:
        # A run that has lost its thread to another process must not change the recording any more.
        await self._settle()
        async with self._database.transaction(self._owner_id) as session:
            yield session

    async def _step(self, session_id: str, work: Work, name: str, count: int) -> None:
        async with self._writing() as session:
            await analyses.step(session, self._owner_id, _id(session_id), work, name=name, count=count)


class RecordingRecords(_Records):
    """`nodes.audio_analysis.records.AudioRecords` on the recordings of one owner."""

    async def recording(self, session_id: str) -> Recording:
        """Return what is known of a session's recording.

        Raises:
            NotFound: there is no such session of this owner.
        """
        async with self._database.transaction(self._owner_id) as session:
            found = await analyses.recording(session, self._owner_id, _id(session_id))
        if found is None:
            raise no_such_session()
        return Recording(
            key=found.key,
            media_type=found.media_type,
            size=found.size,
            duration=found.duration,
            transcript=found.transcript or [],
        )

    async def finished(self, session_id: str, step: str, steps: int) -> None:
        """Note that a step of the analysis is done."""
        await self._step(session_id, "analysis", step, steps)

    async def save_analysis(self, session_id: str, analysis: Analysis) -> None:
        """Store the analysis and its segments, and complete the session.

        Raises:
            NotFound: the session was deleted in the meantime.
        """
        id_ = _id(session_id)
        async with self._writing() as session:
            if not await analyses.save(session, self._owner_id, id_, analysis):
                raise no_such_session()
            await segments.replace_said(session, self._owner_id, id_, analysis["dialogues"])


class CoachingRecords(_Records):
    """`nodes.audio_strategy.records.StrategyRecords` on the recordings of one owner."""

    async def analysed(self, session_id: str) -> AnalysedSession:
        """Return an analysed recording.

        Raises:
            NotFound: there is no such session of this owner.
            Conflict: its analysis is not completed.
        """
        id_ = _id(session_id)
        async with self._database.transaction(self._owner_id) as session:
            recording = await analyses.recording(session, self._owner_id, id_)
            found = await analyses.of_session(session, self._owner_id, id_)
        if recording is None:
            raise no_such_session()
        if found is None:
            raise not_analysed()
        return AnalysedSession(
            dialogues=cast("list[Segment]", found.dialogues),
            speaker_mapping=found.speaker_mapping,
            summary=found.summary,
            duration=recording.duration,
        )

    async def finished(self, session_id: str, step: str, steps: int) -> None:
        """Note that a step of the strategy is done."""
        await self._step(session_id, "strategy", step, steps)

    async def save_execution(self, session_id: str, strategy_id: str, execution: SkillExecution) -> None:
        """Store that a skill ran, once for each strategy and skill; a later time replaces an earlier one."""
        async with self._writing() as session:
            await strategies.add_execution(session, self._owner_id, _id(session_id), UUID(strategy_id), execution)

    async def save_strategy(self, session_id: str, strategy_id: str, strategy: Strategy) -> None:
        """Store the strategy in place of an earlier one of the session, whose pictures are abandoned.

        Raises:
            NotFound: the session was deleted in the meantime.
        """
        id_ = _id(session_id)
        # A client may have written the run's state. A key that comes from there could be of anybody's file: it would
        # be shown to this owner, and deleted with his strategy. Keys come by `save_visual` alone.
        strategy = {**strategy, "visual_data": [_wanted(one) for one in strategy["visual_data"]]}
        async with self._writing() as session:
            if await sessions.find(session, self._owner_id, id_, lock=True) is None:
                raise no_such_session()
            await strategies.save(session, self._owner_id, id_, UUID(strategy_id), strategy)

    async def visual(self, session_id: str, strategy_id: str, image_index: int) -> Visual | None:
        """Return what became of one picture; None where the session has another strategy, or none."""
        async with self._database.transaction(self._owner_id) as session:
            found = await strategies.of_session(session, self._owner_id, _id(session_id))
        if found is None or found.strategy_id != UUID(strategy_id):
            return None
        kept = cast("list[Visual]", found.visual_data)
        return next((one for one in kept if one["image_index"] == image_index), None)

    async def save_visual(self, session_id: str, strategy_id: str, visual: Visual) -> None:
        """Store what became of one picture; the file of one that nobody wants any more is abandoned."""
        async with self._writing() as session:
            kept = await strategies.save_visual(session, self._owner_id, _id(session_id), UUID(strategy_id), visual)
            if key := visual.get("key"):
                await (files.keep(session, key) if kept else files.abandon(session, self._owner_id, key, 0))


def _wanted(visual: Visual) -> Visual:
    return Visual(image_index=visual["image_index"], prompt=visual["prompt"], status="pending", image_url=None)


def _id(session_id: str) -> UUID:
    try:
        return UUID(session_id)
    except ValueError:
        raise no_such_session() from None
