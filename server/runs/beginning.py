"""How a run that this process accepts begins here: as early as can be, and never before it has its thread."""

import asyncio
from dataclasses import replace
from typing import Final
from uuid import UUID

import orjson
from psycopg.rows import DictRow

from server.runs.execution import Execution
from server.runs.executor import Executor
from server.runs.model import Accepted, Claim, RunRequest

# With the others the statement that accepts a run may undo what another one has saved: it has to be committed before
# the thread is read.
_UNDOING_NOTHING: Final = ("reject", "enqueue")


class Beginning:
    """The first moments of a run whose acceptance is on its way to the database.

    It is prepared meanwhile, and does its first step when the statement that accepts it is executed: the thread is
    locked then, and all that the run writes is committed after its acceptance, or never. Nobody is told of it before.
    """

    def __init__(self, executor: Executor, run_id: UUID, request: RunRequest) -> None:
        self._executor = executor
        self._is_early = request.strategy in _UNDOING_NOTHING
        self._claimed = _claim(run_id, request)
        self._execution: Execution | None = None
        self._fence: int | None = None

    def prepare(self) -> None:
        """Do what comes before the run's first step; for when the statement was handed over."""
        self._execution = self._executor.expect(self._claimed)

    def executed(self, row: DictRow) -> None:
        """Go on with what was claimed, before that is committed."""
        if self._is_early and self._fence is None:
            self._go_on(_fence(row))

    def committed(self, answer: "asyncio.Future[DictRow]") -> None:
        """Go on, or give up what was begun: its commit failed, or was lost, and the thread was another's in between."""
        row = None if answer.cancelled() or answer.exception() is not None else answer.result()
        fence = None if row is None else _fence(row)
        if self._fence is not None and fence != self._fence and self._execution is not None:
            self._execution.lose()
            self._execution, self._fence = None, None
        if self._fence is None:
            self._go_on(fence)
        if fence is None and self._execution is not None:
            self._execution.forsake()

    def _go_on(self, fence: int | None) -> None:
        if fence is not None:
            self._fence = fence
            self._executor.take(replace(self._claimed, fence=fence), self._execution)


def _fence(row: DictRow) -> int | None:
    """Return the fence under which a run was claimed; None where it was not."""
    accepted = Accepted(**row)
    return accepted.fence if accepted.outcome == "claimed" else None


def _claim(run_id: UUID, request: RunRequest) -> Claim:
    """Return what a run will be that is claimed as soon as it is accepted; its fence is not known yet."""
    return Claim(
        run_id=run_id,
        thread_id=request.thread_id,
        owner_id=request.owner_id,
        workflow=request.workflow,
        request=orjson.loads(request.payload),
        fence=0,
        attempt=1,
        restarts_input=True,
        waited=0.0,
    )
