"""The run engine's interface: start, wait, stream, resume, cancel, state. What is behind it may change."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.base import SerializerProtocol

from checkpoints.saver import PooledSaver
from core.errors import Conflict, InvalidInput, NotFound
from core.ids import IdSource
from core.tasks import wait_at_most
from db.database import Pool, acting_for
from db.lanes import Lanes
from jobs.queue import JobQueue
from server.auth.principal import no_caller
from server.runs import events, repository
from server.runs.beginning import Beginning
from server.runs.broker import Broker, notify, notify_cancel
from server.runs.encode import plain
from server.runs.execution import RUN_JOB, Execution
from server.runs.executor import Executor
from server.runs.model import FIRST, Accepted, CancelAction, Event, EventId, RunRequest, RunResult, ThreadState
from server.runs.outcome import Outcome
from server.runs.workflows import Workflows, with_saver

log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 1.0


class RunEngine:
    """Starts runs for owners and reads what became of them.

    Every call takes the owner: what is another's does not exist (X016).
    """

    def __init__(
        self,
        *,
        pool: Pool,
        lanes: Lanes,
        broker: Broker,
        jobs: JobQueue,
        workflows: Workflows,
        serde: SerializerProtocol,
        ids: IdSource,
    ) -> None:
        self._pool = pool
        self._lanes = lanes
        self._broker = broker
        self._jobs = jobs
        self._workflows = workflows
        self._serde = serde
        self._ids = ids
        self.executor: Executor | None = None
        """What executes runs in this process, where something does."""

    async def start(self, request: RunRequest) -> UUID:
        """Accept a run: it is committed when this returns. Makes the thread if it is new.

        A request that was accepted before under the same idempotency key gives that run.

        Raises:
            Unauthenticated: the caller's key counts no more.
            NotFound: no such workflow, or the thread is another owner's.
            Conflict: a run of this thread is not finished (X019), or it does not wait for these answers (X018).
            InvalidInput: the idempotency key belongs to another request.
        """
        if request.workflow not in self._workflows:
            raise NotFound(f"There is no workflow called {request.workflow}.")
        accepted = await self._accept(request)
        match accepted.outcome:
            case "no_caller":
                raise no_caller()
            case "no_thread":
                raise NotFound("There is no such thread.")
            case "busy":
                raise Conflict("A run of this thread is not finished yet.", code="THREAD_BUSY")
            case "not_interrupted":
                raise Conflict("The thread does not wait for this answer.", code="NOT_INTERRUPTED")
            case "key_reused":
                raise InvalidInput("The idempotency key belongs to another request.", code="IDEMPOTENCY_KEY_REUSED")
        assert accepted.run_id is not None  # noqa: S101 - all other outcomes have one
        return accepted.run_id

    async def _accept(self, request: RunRequest) -> Accepted:
        run_id = self._ids.uuid()
        executor = self.executor
        # Once it is committed it has to begin, also when nobody waits for it any more.
        if executor is not None and executor.has_room:
            parameters = repository.start_parameters(run_id, request, executor.worker_id)
            beginning = Beginning(executor, run_id, request)
            answer = self._lanes.submit(request.thread_id, repository.START, parameters, beginning.executed)
            beginning.prepare()
            answer.add_done_callback(beginning.committed)
            accepted = Accepted(**await asyncio.shield(answer))
        else:
            accepted = await asyncio.shield(asyncio.create_task(self._queue(run_id, request), name="accept a run"))
        log.info(
            "run_accepted",
            run_id=str(accepted.run_id),
            thread_id=str(request.thread_id),
            workflow=request.workflow,
            outcome=accepted.outcome,
        )
        return accepted

    async def _queue(self, run_id: UUID, request: RunRequest) -> Accepted:
        """Leave a run to whoever has room for it."""
        async with self._pool.connection() as connection, connection.transaction():
            accepted = await repository.start(connection, run_id, request, None)
            if accepted.outcome == "pending":
                await self._jobs.enqueue(connection, RUN_JOB, run_id=str(run_id))
        return accepted

    async def resume(self, request: RunRequest, answer: Any, interrupt_id: str | None = None) -> UUID:
        """Answer the interrupt that a thread waits at, and go on; checked under the thread's lock (X018).

        Args:
            request: the thread, its owner and workflow.
            answer: what `interrupt()` returns in the node.
            interrupt_id: which one is answered; may be left out where the thread waits at one only.

        Raises:
            NotFound: the thread does not exist, or is another owner's.
            Conflict: it does not wait for this answer (any more), or a run of it is not finished.
        """
        answers = () if interrupt_id is None else (interrupt_id,)
        resume = answer if interrupt_id is None else {interrupt_id: answer}
        return await self.start(replace(request, input=None, resume=resume, answers=answers))

    async def wait(self, owner_id: UUID, run_id: UUID, timeout: float | None = None) -> RunResult:  # noqa: ASYNC109
        """Return how the run stands once it is finished, or after `timeout` seconds.

        Raises:
            NotFound: there is no such run of this owner.
        """
        execution = await self._ending(owner_id, run_id, timeout)
        if execution is None or execution.ended is None:
            return await self.result(owner_id, run_id)
        return execution.ended.as_result(run_id, execution.claimed.thread_id)

    async def result(self, owner_id: UUID, run_id: UUID) -> RunResult:
        """Return how the run stands now.

        Raises:
            NotFound: there is no such run of this owner.
        """
        async with acting_for(self._pool, owner_id) as connection:
            found = await repository.result(connection, run_id, owner_id)
        if found is None:
            raise NotFound("There is no such run.")
        return found

    async def newest(self, owner_id: UUID, thread_id: UUID) -> tuple[RunResult, dict[str, Any]] | None:
        """Return how a thread's newest run stands, and its metadata; None when there is none of this owner."""
        async with acting_for(self._pool, owner_id) as connection:
            return await repository.newest(connection, thread_id, owner_id)

    async def stream(
        self,
        owner_id: UUID,
        run_id: UUID,
        after: EventId = FIRST,
        timeout: float | None = None,  # noqa: ASYNC109 - the end of the stream, not an error
    ) -> AsyncIterator[Event]:
        """Yield the run's events after `after`, in order and once each, until it is finished; from any process.

        Ends early, without an error, after `timeout` seconds.

        Raises:
            NotFound: there is no such run of this owner.
        """
        await self.result(owner_id, run_id)
        async for page in events.read(self._pool, self._broker, owner_id, run_id, after, timeout):
            for event in page:
                yield event

    def follow(self, owner_id: UUID, run_id: UUID, after: EventId = FIRST) -> AsyncIterator[list[Event]]:
        """Yield the events of a run that is known to be this owner's, as many at a time as there are."""
        return events.read(self._pool, self._broker, owner_id, run_id, after)

    async def ended(self, owner_id: UUID, run_id: UUID, seconds: float | None = None) -> Outcome | None:
        """Wait until a run of this owner is finished or gone, for `seconds` at most.

        Returns:
            How it ended, where it did so in this process; None: the database knows.
        """
        execution = await self._ending(owner_id, run_id, seconds)
        return None if execution is None else execution.ended

    async def cancel(self, owner_id: UUID, run_id: UUID, action: CancelAction = "interrupt") -> bool:
        """Ask for the end of a run; False when it had ended already (or is another's).

        `interrupt` keeps what it has done, `rollback` leaves the thread as it was before and deletes the run.
        """
        async with acting_for(self._pool, owner_id) as connection:
            asked = await repository.request_cancel(connection, run_id, owner_id, action)
            if asked == "ended":
                await notify(connection, run_id)
            elif asked == "told":
                await notify_cancel(connection, run_id)
        return asked is not None

    async def state(self, owner_id: UUID, thread_id: UUID) -> ThreadState:
        """Return the thread's newest state.

        Raises:
            NotFound: there is no such thread of this owner.
        """
        async with acting_for(self._pool, owner_id) as connection:
            workflow = await repository.thread_workflow(connection, thread_id, owner_id)
        if workflow is None or workflow not in self._workflows:
            raise NotFound("There is no such thread.")
        graph = with_saver(self._workflows[workflow], PooledSaver(self._pool, self._serde))
        config: RunnableConfig = {"configurable": {"thread_id": str(thread_id)}}
        snapshot = await graph.aget_state(config)
        return ThreadState(
            thread_id=thread_id,
            values=plain(snapshot.values),
            next=snapshot.next,
            interrupts=tuple({"id": item.id, "value": plain(item.value)} for item in snapshot.interrupts),
            checkpoint_id=snapshot.config.get("configurable", {}).get("checkpoint_id"),
        )

    async def delete_thread(self, owner_id: UUID, thread_id: UUID) -> bool:
        """Delete a thread with its runs, events and checkpoints; a run in flight can write no more."""
        async with acting_for(self._pool, owner_id) as connection:
            return await repository.delete_thread(connection, thread_id, owner_id)

    async def _ending(self, owner_id: UUID, run_id: UUID, seconds: float | None) -> Execution | None:
        """Wait until a run is finished; return its execution, where it ended in this process."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (float("inf") if seconds is None else seconds)
        if self.executor is not None and (execution := self.executor.of(run_id, owner_id)) is not None:
            await self.executor.wait(execution, seconds)
            if execution.ended is not None:
                return execution
        await self._until_finished(owner_id, run_id, deadline)
        return None

    async def _until_finished(self, owner_id: UUID, run_id: UUID, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        with self._broker.subscribe(run_id) as news:
            while loop.time() < deadline:
                news.clear()
                async with acting_for(self._pool, owner_id) as connection:
                    status = await repository.status(connection, run_id)
                if status is None or status.finished:
                    return
                await wait_at_most(news, min(_POLL_SECONDS, deadline - loop.time()))
