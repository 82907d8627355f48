"""Executes claimed runs: drives the graph, logs its events, writes how it ended, wakes the thread's next run."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import structlog
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from checkpoints.saver import FencedSaver, FenceLost
from core.clock import Clock
from core.ids import IdSource
from core.tasks import end
from db.database import Pool, acting_for
from jobs.queue import JobQueue
from nodes.common.resources import ChatModels, Resources, bind
from providers.usage import Usage, UsageCollector
from server.metrics import RUN_SECONDS, RUN_WAIT_SECONDS, RUNS_FINISHED, RUNS_RESTARTED, count_model_calls
from server.runs import repository, usage
from server.runs.broker import Broker
from server.runs.drive import Driven, drive
from server.runs.events import EventWriter
from server.runs.fence import fenced
from server.runs.model import Claim
from server.runs.outcome import Outcome
from server.runs.workflows import Workflows

log = structlog.get_logger(__name__)

RUN_JOB: Final = "execute_run"
Repositories = Callable[[UUID], Mapping[type, object]]


class Executor:
    """The runs of this process.

    Args:
        repositories: what the nodes of a run may read and write, for the run's owner.
    """

    def __init__(
        self,
        *,
        worker_id: UUID,
        pool: Pool,
        broker: Broker,
        jobs: JobQueue,
        workflows: Workflows,
        models: ChatModels,
        repositories: Repositories,
        serde: SerializerProtocol,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._worker_id = worker_id
        self._pool = pool
        self._broker = broker
        self._jobs = jobs
        self._workflows = workflows
        self._models = models
        self._repositories = repositories
        self._serde = serde
        self._clock = clock
        self._ids = ids
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._controls: dict[UUID, RunControl] = {}
        self._cancelled: set[UUID] = set()
        self._draining = False

    @property
    def in_flight(self) -> int:
        """How many runs this process executes now."""
        return len(self._tasks)

    async def execute(self, run_id: str) -> None:
        """Claim a run and execute it to its end; does nothing when it is not to be had (a wake-up too many)."""
        if self._draining:
            return
        async with self._pool.connection() as connection, connection.transaction():
            claimed = await repository.claim(connection, UUID(run_id), self._worker_id)
        if claimed is None:
            return
        if self._draining:
            await self._give_back(claimed)
            return
        task = asyncio.create_task(self._run(claimed), name=f"run {run_id}")
        self._tasks[claimed.run_id] = task
        try:
            await asyncio.wait({task})
        finally:
            self._tasks.pop(claimed.run_id, None)
            self._cancelled.discard(claimed.run_id)
        if not task.cancelled() and (error := task.exception()):
            log.error("run_not_finished", run_id=run_id, exc_info=error)

    def cancel(self, run_id: UUID) -> None:
        """Stop a run of this process, if it is one; it ends as interrupted."""
        if run_id not in self._tasks:
            return
        self._cancelled.add(run_id)
        # Before the graph has begun there is nothing to cut off, and after it has ended nothing to stop.
        if run_id in self._controls:
            self._tasks[run_id].cancel()

    async def drain(self, seconds: float) -> None:
        """Let every run stop after its present step, or cut it off after `seconds`; others go on with them."""
        self._draining = True
        for control in self._controls.values():
            control.request_drain()
        tasks = set(self._tasks.values())
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=seconds)
            await asyncio.gather(*(end(task) for task in late))

    async def _run(self, claimed: Claim) -> None:
        with structlog.contextvars.bound_contextvars(
            run_id=str(claimed.run_id),
            thread_id=str(claimed.thread_id),
            user_id=str(claimed.owner_id),
            workflow=claimed.workflow,
        ):
            log.info("run_started", attempt=claimed.attempt)
            collector = UsageCollector()
            started = time.perf_counter()
            if claimed.attempt == 1:
                RUN_WAIT_SECONDS.labels(claimed.workflow).observe(claimed.waited)
            else:
                RUNS_RESTARTED.labels(claimed.workflow).inc()
            async with EventWriter(self._pool, self._broker, claimed) as events:
                events.append("metadata", {"run_id": str(claimed.run_id), "attempt": claimed.attempt})
                outcome = await self._outcome(claimed, events, collector)
                if outcome is not None and outcome.error_code:
                    events.append("error", {"error": outcome.error_code, "message": outcome.error_message})
            calls = collector.drain()
            count_model_calls(calls)
            try:
                if outcome is None:
                    await self._give_back(claimed, calls)
                else:
                    await self._finish(claimed, outcome, events, calls)
            except FenceLost:
                log.warning("run_taken_over")
                # What was asked of models was asked, whoever goes on with the run.
                async with acting_for(self._pool, claimed.owner_id) as connection:
                    await usage.insert(connection, claimed, calls)
            RUN_SECONDS.labels(claimed.workflow).observe(time.perf_counter() - started)

    async def _outcome(self, claimed: Claim, events: EventWriter, collector: UsageCollector) -> Outcome | None:
        """Drive the graph; None means that the run is to go on elsewhere."""
        if claimed.run_id in self._cancelled:
            return Outcome.interrupted()
        if self._draining:
            return None
        control = self._controls[claimed.run_id] = RunControl()
        try:
            return Outcome.success(await self._drive(claimed, events, collector, control))
        except (GraphDrained, FenceLost):
            return None
        except asyncio.CancelledError:
            return Outcome.interrupted() if claimed.run_id in self._cancelled else None
        except Exception as error:  # noqa: BLE001 - whatever a graph raises ends its run, and only that
            return Outcome.failure(error)
        finally:
            self._controls.pop(claimed.run_id, None)

    async def _drive(
        self, claimed: Claim, events: EventWriter, collector: UsageCollector, control: RunControl
    ) -> Driven:
        saver = FencedSaver(self._pool, thread_id=claimed.thread_id, fence=claimed.fence, serde=self._serde)
        graph = self._workflows[claimed.workflow].copy(update={"checkpointer": saver})
        bound = Resources(
            models=self._models,
            clock=self._clock,
            ids=self._ids,
            repositories=self._repositories(claimed.owner_id),
        )
        with bind(bound):
            return await drive(graph, claimed, events, callbacks=[collector], control=control)

    async def _finish(self, claimed: Claim, outcome: Outcome, events: EventWriter, calls: Sequence[Usage]) -> None:
        async with fenced(self._pool, claimed) as connection:
            await events.write(connection)
            await usage.insert(connection, claimed, calls)
            await repository.finish(connection, claimed, outcome.as_row())
            if (waiting := await repository.next_pending(connection, claimed.thread_id)) is not None:
                await self._jobs.enqueue(connection, RUN_JOB, run_id=str(waiting))
        self._broker.wake(claimed.run_id)
        RUNS_FINISHED.labels(claimed.workflow, outcome.status.value).inc()
        log.info("run_finished", status=outcome.status.value, error_code=outcome.error_code)

    async def _give_back(self, claimed: Claim, calls: Sequence[Usage] = ()) -> None:
        async with fenced(self._pool, claimed) as connection:
            await usage.insert(connection, claimed, calls)
            await repository.release(connection, claimed)
            await self._jobs.enqueue(connection, RUN_JOB, run_id=str(claimed.run_id))
        log.info("run_given_back")
