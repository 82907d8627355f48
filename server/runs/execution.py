"""One claimed run in this process: drives the graph, logs its events, writes how it ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Final
from uuid import UUID

import psycopg
import structlog
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from checkpoints.heads import HeadCache
from checkpoints.run_saver import Begun, RunSaver
from checkpoints.saver import FenceLost, PooledSaver
from core.clock import Clock
from core.ids import IdSource
from db.database import Pool, acting_for
from db.lanes import Lanes
from jobs.queue import JobQueue
from nodes.common.resources import ChatModels, Resources, bind
from providers.usage import Usage
from server.metrics import RUN_SECONDS, RUN_WAIT_SECONDS, RUNS_FINISHED, RUNS_RESTARTED, count_model_calls, series
from server.runs import usage
from server.runs.broker import Broker
from server.runs.callbacks import RunCallbacks
from server.runs.drive import Driven, drive, may_begin_early
from server.runs.feed import Feed
from server.runs.model import Claim
from server.runs.outcome import GIVEN_BACK, Outcome
from server.runs.starts import Starts
from server.runs.workflows import Workflows, with_saver
from server.runs.writer import Finished, RunWriter
from tools.mcp.model import ToolHub
from tools.mcp.policy import ToolPolicy

log = structlog.get_logger(__name__)

RUN_JOB: Final = "execute_run"
Settle = Callable[[], Awaitable[None]]
"""Commits what a run has saved and sees that it still has its thread; raises `FenceLost` where it has not."""
Repositories = Callable[[UUID, Settle], Mapping[type, object]]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What all executions of a process share.

    `repositories` gives what the nodes of a run may read and write, for the run's owner; before they act on anything
    outside the run they settle it. `doubt_seconds` after a look at a run's fence it may have been taken over.
    """

    worker_id: UUID
    pool: Pool
    lanes: Lanes
    broker: Broker
    jobs: JobQueue
    workflows: Workflows
    models: ChatModels
    tools: ToolHub
    tool_policy: ToolPolicy
    repositories: Repositories
    serde: SerializerProtocol
    clock: Clock
    ids: IdSource
    doubt_seconds: float
    heads: HeadCache = field(default_factory=HeadCache)
    starts: Starts = field(default_factory=Starts)

    @property
    def encrypts(self) -> bool:
        """Whether checkpoints are encrypted: then no copy of a state is kept beside them in plain text."""
        return self.reader.encrypts

    @cached_property
    def reader(self) -> PooledSaver:
        """What reads checkpoints, for all runs."""
        return PooledSaver(self.pool, self.serde)


class Execution:
    """The execution of one run, from its first step here to its end, or until it goes on elsewhere.

    It may begin while its claim is on its way: what comes before the first step is done meanwhile. Nothing of it is
    told, saved or logged until the claim is granted.
    """

    def __init__(self, parts: Parts, claimed: Claim) -> None:
        self._parts = parts
        self.claimed = claimed
        self._granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._began_at: float | None = None
        self._cancelled = claimed.cancelled
        self._draining = False
        self._control: RunControl | None = None
        self.task: asyncio.Task[Claim | None] | None = None
        self.ended: Outcome | None = None
        """How it ended, once that is committed; None where it goes on elsewhere, or was undone."""
        self.over = asyncio.Event()
        """Set when nothing of the run is to come here any more."""

    def begin(self) -> asyncio.Task[Claim | None]:
        """Execute in a task of its own; it gives the thread's next run, where one waited and could be claimed."""
        self.task = asyncio.create_task(self._run(), name=f"run {self.claimed.run_id}")
        self.task.add_done_callback(lambda _: self.over.set())
        return self.task

    def grant(self, fence: int) -> None:
        """Let the run do its first step: it has its thread."""
        self.claimed = replace(self.claimed, fence=fence)
        # It is done where the process ends, which cancels all tasks.
        if not self._granted.done():
            self._granted.set_result(None)

    def forsake(self) -> None:
        """Forget a run that was not claimed after all."""
        self._granted.cancel()

    def cancel(self) -> None:
        """Let the run end as interrupted."""
        self._cancelled = True
        # Before the graph has begun there is nothing to cut off, and after it has ended nothing to stop.
        if self._control is not None and self.task is not None:
            self.task.cancel()

    def drain(self) -> None:
        """Let the run stop after its present step, to go on elsewhere."""
        self._draining = True
        if self._control is not None:
            self._control.request_drain()

    def lose(self) -> None:
        """Stop the run here: others have its thread, and what it does from now on would be thrown away."""
        self._draining = True
        if self._control is not None and self.task is not None:
            self.task.cancel()

    async def _run(self) -> Claim | None:
        claimed = self.claimed
        # A task has a context of its own, which ends with it.
        structlog.contextvars.bind_contextvars(
            run_id=str(claimed.run_id),
            thread_id=str(claimed.thread_id),
            user_id=str(claimed.owner_id),
            workflow=claimed.workflow,
        )
        with ExitStack() as telling:
            try:
                return await self._to_its_end(telling)
            finally:
                if self._began_at is not None:
                    series(RUN_SECONDS, claimed.workflow).observe(time.perf_counter() - self._began_at)

    async def _begun(self, writer: RunWriter, feed: Feed, telling: ExitStack) -> int:
        """Wait for the claim, tell of the run when it has its thread, and return its fence."""
        await self._granted
        claimed = self.claimed
        if not writer.is_open:
            writer.open(claimed)
            # At once, so that its readers wait for it and do not look into the log; and until the run's end is
            # committed: then they find the rest there.
            telling.enter_context(self._parts.broker.feeding(claimed.run_id, feed))
        if self._began_at is None:
            await self._parts.starts.turn()
            self._began_at = time.perf_counter()
            log.info("run_started", attempt=claimed.attempt)
            if claimed.attempt == 1:
                series(RUN_WAIT_SECONDS, claimed.workflow).observe(claimed.waited)
            else:
                series(RUNS_RESTARTED, claimed.workflow).inc()
            writer.append("metadata", {"run_id": str(claimed.run_id), "attempt": claimed.attempt})
        return self.claimed.fence

    async def _to_its_end(self, telling: ExitStack) -> Claim | None:
        parts = self._parts
        feed = Feed(self.claimed.fence, is_first_attempt=self.claimed.attempt == 1)
        writer = RunWriter(
            parts.lanes, parts.broker, self.claimed, feed, doubt_seconds=parts.doubt_seconds, on_lost=self.lose
        )
        begun = partial(self._begun, writer, feed, telling)
        saver = RunSaver(
            parts.reader,
            writer,
            thread_id=self.claimed.thread_id,
            begun=begun,
            heads=parts.heads,
            waits=self.claimed.request.get("options", {}).get("durability") == "sync",
        )
        # Among many there is nothing to gain: it would only be in the way of those that are begun.
        if not (parts.starts.is_calm and may_begin_early(parts.workflows, self.claimed)):
            await begun()
        callbacks = RunCallbacks(writer, self.claimed.run_id)
        outcome = await self._outcome(writer, saver, callbacks, begun)
        # Also where it failed before it had come so far.
        await begun()
        calls = callbacks.drain()
        count_model_calls(calls)
        try:
            finished = await self._finish(outcome, writer, calls)
        except FenceLost:
            log.warning("run_taken_over")
            # What was asked of models was asked, whoever goes on with the run.
            async with acting_for(parts.pool, self.claimed.owner_id) as connection:
                await usage.insert(connection, self.claimed, calls)
            return None
        if not (finished.rolled_back or writer.is_torn):
            saver.leave_head()
        return finished.claim

    async def _outcome(
        self, writer: RunWriter, saver: RunSaver, callbacks: RunCallbacks, begun: Begun
    ) -> Outcome | None:
        """Drive the graph; None means that the run is to go on elsewhere."""
        if self._cancelled:
            return Outcome.interrupted(Driven())
        if self._draining:
            return None
        self._control = RunControl()
        driven = Driven(as_json=saver.as_json)
        try:
            await self._drive(writer, saver, callbacks, driven, self._control)
            return Outcome.success(driven)
        except (GraphDrained, FenceLost):
            return None
        except asyncio.CancelledError:
            if self._granted.cancelled() or not self._granted.done():
                raise
            return Outcome.interrupted(driven) if self._cancelled else None
        except Exception as error:  # noqa: BLE001 - whatever a graph raises ends its run, and only that
            await begun()
            return Outcome.failure(error, driven)
        finally:
            self._control = None

    async def _drive(
        self, writer: RunWriter, saver: RunSaver, callbacks: RunCallbacks, driven: Driven, control: RunControl
    ) -> None:
        parts, claimed = self._parts, self.claimed
        bound = Resources(
            models=parts.models,
            tools=parts.tools,
            tool_policy=parts.tool_policy,
            clock=parts.clock,
            ids=parts.ids,
            repositories=parts.repositories(claimed.owner_id, writer.settle),
        )
        with bind(bound):
            async with parts.workflows.opened(claimed) as graph:
                await drive(with_saver(graph, saver), claimed, writer, driven, callbacks=callbacks, control=control)

    async def _finish(self, outcome: Outcome | None, writer: RunWriter, calls: Sequence[Usage]) -> Finished:
        """Write how the run ended, or give it back."""
        try:
            finished = await self._write_end(outcome, writer, calls)
        except psycopg.DataError as error:
            # The graph saved what PostgreSQL cannot hold.
            outcome = Outcome.failure(error, Driven())
            writer.discard()
            finished = await self._write_end(outcome, writer, calls)
        self.ended = None if finished.rolled_back else outcome
        await self._let_others_go_on()
        if finished.following is not None and finished.claim is None:
            # The run itself, or the thread's next one while this process takes no more. Without a job the sweep
            # would find it, some seconds later.
            async with self._parts.pool.connection() as connection:
                await self._parts.jobs.enqueue(connection, RUN_JOB, run_id=str(finished.following))
        if outcome is None:
            log.info("run_given_back")
            return finished
        series(RUNS_FINISHED, self.claimed.workflow, outcome.status.value).inc()
        log.info("run_finished", status=outcome.status.value, error_code=outcome.error_code)
        return finished

    async def _let_others_go_on(self) -> None:
        """Wake who waits for the run's end: they answer their clients before the rest is done here."""
        self.over.set()
        # Nothing is left that could be cut off.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    async def _write_end(self, outcome: Outcome | None, writer: RunWriter, calls: Sequence[Usage]) -> Finished:
        if outcome is None:
            return await writer.finish(GIVEN_BACK, calls, None)
        if outcome.error_code:
            writer.append("error", {"error": outcome.error_code, "message": outcome.error_message})
        row = outcome.as_row(keeps_state=not self._parts.encrypts)
        return await writer.finish(row, calls, None if self._draining else self._parts.worker_id)
