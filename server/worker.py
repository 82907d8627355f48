"""Composition of what executes runs: in `colloquy worker`, and inside `colloquy serve`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import UUID

from jobs.worker import JobWorker
from nodes.audio_analysis.records import AudioRecords
from nodes.audio_strategy.records import SkillShelf, StrategyRecords
from nodes.call_summary.records import CallRecords
from nodes.counseling.records import CounselingRecords
from nodes.interpret_execute.records import InterpretRecords, ToolJournal
from nodes.meta_workflow.records import ChatRecords, Documents
from server.audio.provisional import ProvisionalStorage
from server.audio.records import CoachingRecords, RecordingRecords
from server.audio.upkeep import AudioUpkeep
from server.calls.summary_records import SummaryRecords
from server.chat import records as chat
from server.chat.embedding import EMBED_JOB, DocumentEmbedding
from server.chat.retention import ChatRetention
from server.counseling import records as counseling
from server.counseling.daily import DailyCompliance
from server.interpret import call_repository
from server.interpret import records as interpret
from server.runs.execution import RUN_JOB, Parts, Settle
from server.runs.executor import Executor
from server.runs.leases import Leases
from server.runs.retention import Limits, Retention
from server.runtime import Runtime
from tools.audio.worker import AudioTools
from tools.mcp.policy import ToolPolicy
from tools.storage.model import Storage

DRAIN_SECONDS: Final = 10.0


@asynccontextmanager
async def running_worker(runtime: Runtime) -> AsyncIterator[Executor]:
    """Execute runs until the block ends; then let them stop after their present step."""
    parts = _parts(runtime)
    concurrency = runtime.settings.worker_concurrency
    executor = Executor(parts, concurrency=concurrency)
    runtime.jobs.register(RUN_JOB, executor.execute)
    runtime.broker.on_cancel = executor.cancel
    leases = Leases(
        runtime.system.pool,
        runtime.jobs,
        executor,
        parts.worker_id,
        beat_seconds=runtime.settings.worker_beat_seconds,
        dead_seconds=runtime.settings.worker_dead_seconds,
    )
    embedding = DocumentEmbedding(runtime.system.pool, runtime.database, runtime.embedder, runtime.clock)
    runtime.jobs.register(EMBED_JOB, embedding.wake)
    periodic = (*_periodic(runtime), embedding)
    worker = JobWorker(runtime.jobs, concurrency=concurrency)
    await leases.start()
    worker.start()
    for work in periodic:
        work.start()
    # From now on what this process accepts, it begins at once.
    runtime.engine.executor = executor
    try:
        yield executor
    finally:
        runtime.engine.executor = None
        for work in periodic:
            await work.stop()
        # First no more jobs: the ones that wake others for the runs that are given back here would be taken here.
        await asyncio.gather(worker.stop(), executor.drain(DRAIN_SECONDS))
        await executor.hand_back()
        await leases.stop()


def _parts(runtime: Runtime) -> Parts:
    """Return what all executions of this process share."""
    settings = runtime.settings
    return Parts(
        worker_id=runtime.ids.uuid(),
        pool=runtime.database.pool,
        lanes=runtime.lanes,
        broker=runtime.broker,
        jobs=runtime.jobs,
        workflows=runtime.workflows,
        models=runtime.models,
        repositories=partial(_repositories, runtime),
        serde=runtime.serde,
        tools=runtime.tools,
        tool_policy=ToolPolicy(settings.execute_require_confirm, settings.interpret_read_only_unconfirmed),
        clock=runtime.clock,
        ids=runtime.ids,
        doubt_seconds=settings.worker_doubt_seconds,
    )


def _repositories(runtime: Runtime, owner_id: UUID, settle: Settle) -> Mapping[type, object]:
    """Return what the nodes of an owner's run may read and write."""
    database, clock, ids = runtime.database, runtime.clock, runtime.ids
    return {
        AudioRecords: RecordingRecords(database, owner_id, settle),
        StrategyRecords: CoachingRecords(database, owner_id, settle),
        SkillShelf: runtime.shelf,
        Storage: ProvisionalStorage(runtime.storage, database, owner_id),
        AudioTools: runtime.audio_tools,
        CallRecords: SummaryRecords(database, owner_id, settle),
        InterpretRecords: interpret.SessionRecords(database, owner_id, settle),
        ToolJournal: interpret.CallJournal(database, owner_id, settle),
        ChatRecords: chat.SessionRecords(database, owner_id, settle, clock, ids),
        Documents: chat.SessionDocuments(database, owner_id, runtime.embedder),
        CounselingRecords: counseling.SessionRecords(database, owner_id, settle, clock),
    }


def _periodic(runtime: Runtime) -> tuple[Retention, ChatRetention, DailyCompliance, AudioUpkeep]:
    """Return what is done now and then, beside the runs."""
    settings, pool, clock = runtime.settings, runtime.system.pool, runtime.clock
    every = settings.retention_sweep_seconds
    journal = {"tool_calls": call_repository.delete_before}
    return (
        Retention(pool, Limits.of(settings), clock, every, journal),
        ChatRetention(pool, clock, every),
        DailyCompliance(runtime.system, clock),
        AudioUpkeep(runtime.system, runtime.storage, every),
    )
