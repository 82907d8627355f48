"""The runs of this process: how many there may be, which are claimed, and how they all stop."""

import asyncio
from collections import OrderedDict
from typing import Final
from uuid import UUID

import structlog

from core.tasks import end, wait_at_most
from server.runs import repository
from server.runs.execution import RUN_JOB, Execution, Parts
from server.runs.model import Claim

_MOST_EARLY: Final = 1024

log = structlog.get_logger(__name__)


class Executor:
    """Executes up to `concurrency` runs side by side."""

    def __init__(self, parts: Parts, *, concurrency: int) -> None:
        self._parts = parts
        self._concurrency = concurrency
        self._tasks: dict[Execution, asyncio.Task[Claim | None]] = {}
        # The newest attempt of each run; one that was overtaken may still be ending.
        self._executions: dict[UUID, Execution] = {}
        # Those whose claims are on their way.
        self._expected: set[asyncio.Task[Claim | None]] = set()
        # Runs that were to end before their claim was known here.
        self._cancelled_early: OrderedDict[UUID, None] = OrderedDict()
        self._attempts: set[asyncio.Task[None]] = set()
        self._draining = False
        self._refused: set[str] = set()

    @property
    def worker_id(self) -> UUID:
        """The process, as `platform.workers` knows it."""
        return self._parts.worker_id

    @property
    def has_room(self) -> bool:
        """Whether another run may begin here now."""
        return not self._draining and len(self._tasks) < self._concurrency

    def of(self, run_id: UUID, owner_id: UUID) -> Execution | None:
        """Return the execution of an owner's run, if it is one of this process."""
        execution = self._executions.get(run_id)
        return execution if execution is not None and execution.claimed.owner_id == owner_id else None

    async def wait(self, execution: Execution, seconds: float | None) -> None:
        """Wait until an execution is over, for `seconds` at most."""
        if seconds is None:
            await execution.over.wait()
        else:
            await wait_at_most(execution.over, seconds)

    def executes(self, run_id: UUID) -> bool:
        """Tell whether a run is one of this process."""
        return run_id in self._executions

    async def execute(self, run_id: str) -> None:
        """Claim a run and execute it to its end; does nothing when it is not to be had (a wake-up too many).

        What a job calls; waits while there is no room.
        """
        while not self.has_room and not self._draining:
            await asyncio.wait(set(self._tasks.values()), return_when=asyncio.FIRST_COMPLETED)
        if self._draining:
            # Its job is gone with this return.
            self._refused.add(run_id)
            return
        async with self._parts.pool.connection() as connection, connection.transaction():
            claimed = await repository.claim(connection, UUID(run_id), self.worker_id)
        if claimed is not None:
            await asyncio.wait({self.take(claimed)})

    def offer(self, run_id: UUID) -> None:
        """Claim and execute a run soon, where there is room; it has a job besides, which comes later."""
        if self.has_room:
            attempt = asyncio.create_task(self.execute(str(run_id)), name=f"claim {run_id}")
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempted)

    def _attempted(self, attempt: asyncio.Task[None]) -> None:
        self._attempts.discard(attempt)
        if not attempt.cancelled() and (error := attempt.exception()):
            log.warning("run_not_claimed", error=type(error).__name__)

    def expect(self, claimed: Claim) -> Execution:
        """Prepare the execution of a run that is just being claimed; `take` it then with its fence, or forsake it."""
        execution = Execution(self._parts, claimed)
        task = execution.begin()
        self._expected.add(task)
        task.add_done_callback(self._expected.discard)
        return execution

    def take(self, claimed: Claim, expected: Execution | None = None) -> asyncio.Task[Claim | None]:
        """Begin to execute a run that was claimed for this process; one that was expected does its first step."""
        execution = expected or Execution(self._parts, claimed)
        task = execution.task or execution.begin()
        execution.grant(claimed.fence)
        if self._draining:
            execution.drain()
        if claimed.run_id in self._cancelled_early:
            execution.cancel()
        self._tasks[execution] = task
        self._executions[claimed.run_id] = execution
        task.add_done_callback(lambda ended: self._ended(execution, ended))
        return task

    def _ended(self, execution: Execution, task: asyncio.Task[Claim | None]) -> None:
        run_id = execution.claimed.run_id
        del self._tasks[execution]
        if self._executions.get(run_id) is execution:
            del self._executions[run_id]
        if task.cancelled():
            return
        if error := task.exception():
            log.error("run_not_finished", run_id=str(run_id), exc_info=error)
        elif (following := task.result()) is not None:
            # In the place that has just become free.
            self.take(following)

    def cancel(self, run_id: UUID) -> None:
        """Stop a run of this process, if it is one (or is just becoming one); it ends as interrupted."""
        if run_id in self._executions:
            self._executions[run_id].cancel()
            return
        self._cancelled_early[run_id] = None
        if len(self._cancelled_early) > _MOST_EARLY:
            self._cancelled_early.popitem(last=False)

    async def drain(self, seconds: float) -> None:
        """Let every run stop after its present step, or cut it off after `seconds`; others go on with them."""
        self._draining = True
        for execution in self._tasks:
            execution.drain()
        deadline = asyncio.get_running_loop().time() + seconds
        # A run that was finishing may hand over to the next one of its thread, which then gives itself back.
        while self._tasks:
            left = deadline - asyncio.get_running_loop().time()
            _done, late = await asyncio.wait(set(self._tasks.values()), timeout=max(left, 0))
            await asyncio.gather(*(end(task) for task in late))
            await asyncio.sleep(0)
        await asyncio.gather(*(end(attempt) for attempt in self._attempts))

    async def hand_back(self) -> None:
        """Wake others for the runs whose jobs came while this process drained; for when it takes no more jobs."""
        async with self._parts.pool.connection() as connection, connection.transaction():
            for run_id in self._refused:
                await self._parts.jobs.enqueue(connection, RUN_JOB, run_id=run_id)
