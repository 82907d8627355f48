"""One claimed run in this process: drives the graph, logs its events, writes how it ended."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from checkpoints.saver import FencedSaver, FenceLost
from core.clock import Clock
from core.ids import IdSource
from db.database import Pool, acting_for
from jobs.queue import JobQueue
from nodes.common.resources import ChatModels, Resources, bind
from providers.usage import Usage, UsageCollector
from server.metrics import RUN_SECONDS, RUN_WAIT_SECONDS, RUNS_FINISHED, RUNS_RESTARTED, count_model_calls
from server.runs import repository, usage
from server.runs.broker import Broker
from server.runs.drive import Driven, drive
from server.runs.events import EventWriter
from server.runs.feed import Feed
from server.runs.fence import fenced
from server.runs.model import Claim
from server.runs.outcome import Outcome
from server.runs.workflows import Workflows, with_saver

log = structlog.get_logger(__name__)

RUN_JOB: Final = "execute_run"
Repositories = Callable[[UUID], Mapping[type, object]]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What all executions of a process share.

    `repositories` gives what the nodes of a run may read and write, for the run's owner.
    """

    worker_id: UUID
    pool: Pool
    broker: Broker
    jobs: JobQueue
    workflows: Workflows
    models: ChatModels
    repositories: Repositories
    serde: SerializerProtocol
    clock: Clock
    ids: IdSource

    @property
    def encrypts(self) -> bool:
        """Whether checkpoints are encrypted: then no copy of a state is kept beside them in plain text."""
        return isinstance(self.serde, EncryptedSerializer)


class Execution:
    """The execution of one claimed run, from its first step here to its end, or until it goes on elsewhere."""

    def __init__(self, parts: Parts, claimed: Claim) -> None:
        self._parts = parts
        self.claimed = claimed
        self._cancelled = claimed.cancelled
        self._draining = False
        self._control: RunControl | None = None
        self._task: asyncio.Task[Claim | None] | None = None

    def begin(self) -> asyncio.Task[Claim | None]:
        """Execute in a task of its own; it gives the thread's next run, where one waited and could be claimed."""
        self._task = asyncio.create_task(self._run(), name=f"run {self.claimed.run_id}")
        return self._task

    def cancel(self) -> None:
        """Let the run end as interrupted."""
        self._cancelled = True
        # Before the graph has begun there is nothing to cut off, and after it has ended nothing to stop.
        if self._control is not None and self._task is not None:
            self._task.cancel()

    def drain(self) -> None:
        """Let the run stop after its present step, to go on elsewhere."""
        self._draining = True
        if self._control is not None:
            self._control.request_drain()

    async def _run(self) -> Claim | None:
        claimed = self.claimed
        with structlog.contextvars.bound_contextvars(
            run_id=str(claimed.run_id),
            thread_id=str(claimed.thread_id),
            user_id=str(claimed.owner_id),
            workflow=claimed.workflow,
        ):
            log.info("run_started", attempt=claimed.attempt)
            started = time.perf_counter()
            if claimed.attempt == 1:
                RUN_WAIT_SECONDS.labels(claimed.workflow).observe(claimed.waited)
            else:
                RUNS_RESTARTED.labels(claimed.workflow).inc()
            feed = Feed(claimed.fence, is_first_attempt=claimed.attempt == 1)
            try:
                # Until the run's end is committed: then its readers find the rest in the log.
                with self._parts.broker.feeding(claimed.run_id, feed):
                    return await self._to_its_end(feed)
            finally:
                RUN_SECONDS.labels(claimed.workflow).observe(time.perf_counter() - started)

    async def _to_its_end(self, feed: Feed) -> Claim | None:
        collector = UsageCollector()
        async with EventWriter(self._parts.pool, self._parts.broker, self.claimed, feed) as events:
            events.append("metadata", {"run_id": str(self.claimed.run_id), "attempt": self.claimed.attempt})
            outcome = await self._outcome(events, collector)
            if outcome is not None and outcome.error_code:
                events.append("error", {"error": outcome.error_code, "message": outcome.error_message})
        calls = collector.drain()
        count_model_calls(calls)
        try:
            if outcome is None:
                await self._give_back(events, calls)
                return None
            return await self._finish(outcome, events, calls)
        except FenceLost:
            log.warning("run_taken_over")
            # What was asked of models was asked, whoever goes on with the run.
            async with acting_for(self._parts.pool, self.claimed.owner_id) as connection:
                await usage.insert(connection, self.claimed, calls)
            return None

    async def _outcome(self, events: EventWriter, collector: UsageCollector) -> Outcome | None:
        """Drive the graph; None means that the run is to go on elsewhere."""
        if self._cancelled:
            return Outcome.interrupted(Driven())
        if self._draining:
            return None
        self._control = RunControl()
        driven = Driven()
        try:
            await self._drive(events, collector, driven, self._control)
            return Outcome.success(driven)
        except (GraphDrained, FenceLost):
            return None
        except asyncio.CancelledError:
            return Outcome.interrupted(driven) if self._cancelled else None
        except Exception as error:  # noqa: BLE001 - whatever a graph raises ends its run, and only that
            return Outcome.failure(error, driven)
        finally:
            self._control = None

    async def _drive(self, events: EventWriter, collector: UsageCollector, driven: Driven, control: RunControl) -> None:
        parts, claimed = self._parts, self.claimed
        saver = FencedSaver(parts.pool, thread_id=claimed.thread_id, fence=claimed.fence, serde=parts.serde)
        bound = Resources(
            models=parts.models,
            clock=parts.clock,
            ids=parts.ids,
            repositories=parts.repositories(claimed.owner_id),
        )
        with bind(bound):
            async with parts.workflows.opened(claimed) as graph:
                on_saver = with_saver(graph, saver)
                await drive(on_saver, claimed, events, driven, callbacks=[collector], control=control)

    async def _finish(self, outcome: Outcome, events: EventWriter, calls: Sequence[Usage]) -> Claim | None:
        claimed = self.claimed
        async with fenced(self._parts.pool, claimed) as connection:
            await events.write(connection)
            await usage.insert(connection, claimed, calls)
            await repository.finish(connection, claimed, outcome.as_row(keeps_state=not self._parts.encrypts))
            following = await repository.next_pending(connection, claimed.thread_id)
            if following is not None and self._draining:
                await self._parts.jobs.enqueue(connection, RUN_JOB, run_id=str(following))
            taken = None
            if following is not None and not self._draining:
                taken = await repository.claim(connection, following, self._parts.worker_id)
        self._parts.broker.wake(claimed.run_id)
        RUNS_FINISHED.labels(claimed.workflow, outcome.status.value).inc()
        log.info("run_finished", status=outcome.status.value, error_code=outcome.error_code)
        return taken

    async def _give_back(self, events: EventWriter, calls: Sequence[Usage]) -> None:
        async with fenced(self._parts.pool, self.claimed) as connection:
            # Readers here may have seen them: they must be there for readers elsewhere, too.
            await events.write(connection)
            await usage.insert(connection, self.claimed, calls)
            await repository.release(connection, self.claimed)
            await self._parts.jobs.enqueue(connection, RUN_JOB, run_id=str(self.claimed.run_id))
        log.info("run_given_back")
