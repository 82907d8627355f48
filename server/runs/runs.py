"""What an owner can do with runs: start, find, follow to their end, cancel and delete them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from langchain_core.runnables import RunnableConfig

from checkpoints.saver import PooledSaver
from core.errors import Conflict, InvalidInput, NotFound
from db.database import acting_for
from server.runs import run_repository, thread_repository
from server.runs.assistants import assistant_id
from server.runs.encode import encode
from server.runs.engine import RunEngine
from server.runs.model import FIRST, CancelAction, Event, EventId, RunRequest, RunStatus
from server.runs.outcome import Outcome
from server.runs.run_checks import Refused, check
from server.runs.snapshots import show_interrupt, shown
from server.runs.thread_states import HEAD, Place, ThreadStates
from server.runs.threads import no_such_thread
from server.runs.workflows import with_saver
from server.runtime import Runtime

_INTERRUPT: Final = "__interrupt__"
Run = dict[str, Any]


@dataclass(frozen=True)
class Started:
    """A run that was accepted."""

    owner_id: UUID
    thread_id: UUID
    run_id: UUID


class Runs:
    """The runs of one owner at a time; what is another's does not exist."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pool = runtime.database.pool
        self._engine: RunEngine = runtime.engine
        self._states = ThreadStates(self._pool, runtime.workflows, runtime.serde)

    async def start(self, asked: RunRequest, place: Place = HEAD) -> Started:
        """Accept a run, which begins at a place of its thread's history.

        Raises:
            NotFound: there is no such thread of this owner, or no such checkpoint.
            Conflict: a run of the thread is not finished, it does not wait for this answer, or is of another graph.
            Refused: the graph has no such node or key; or the idempotency key belongs to another request.
        """
        check(self._runtime.workflows[asked.workflow], asked.options)
        if place != HEAD:
            asked = await self._from(asked, place)
        try:
            run_id = await self._engine.start(asked)
        except NotFound:
            await self._explain(asked)
            raise
        except InvalidInput as error:
            raise Refused(error.message, code=error.code) from None
        if asked.idempotency is None:
            return Started(asked.owner_id, asked.thread_id, run_id)
        # It may be the run that was started when this was asked before, on a thread that was made for it.
        known = await self._engine.result(asked.owner_id, run_id)
        return Started(asked.owner_id, known.thread_id, run_id)

    async def _from(self, asked: RunRequest, place: Place) -> RunRequest:
        """Let a run fork from a checkpoint; an answer at the thread's head stays one."""
        if place.checkpoint_ns and not place.checkpoint_map:
            raise Refused("A subgraph's checkpoint needs its checkpoint_map.", code="NO_CHECKPOINT_MAP")
        state = await self._states.read(asked.owner_id, asked.thread_id, place)
        if asked.answers is not None:
            head = await self._states.read(asked.owner_id, asked.thread_id)
            if place.checkpoint_id == head["checkpoint_id"]:
                return asked
            if not _waits(state, asked.answers, in_subgraph=bool(place.checkpoint_map)):
                raise Conflict("The checkpoint does not wait for this answer.", code="NOT_INTERRUPTED")
        options = replace(asked.options, checkpoint=dict(place.config(asked.thread_id)["configurable"]))
        return replace(asked, options=options, answers=None, makes_thread=False)

    async def _explain(self, asked: RunRequest) -> None:
        """Tell an owner whose thread is there that it is of another graph."""
        async with acting_for(self._pool, asked.owner_id) as connection:
            if await thread_repository.standing(connection, asked.owner_id, asked.thread_id):
                raise Conflict("The thread belongs to another graph.", code="OTHER_GRAPH") from None

    async def read(self, owner_id: UUID, thread_id: UUID, run_id: UUID) -> Run:
        """Return a run.

        Raises:
            NotFound: there is no such run on such a thread of this owner.
        """
        async with acting_for(self._pool, owner_id) as connection:
            row = await run_repository.find(connection, owner_id, thread_id, run_id)
        if row is None:
            raise NotFound("There is no such run.")
        return _shown(row)

    async def page(self, owner_id: UUID, thread_id: UUID, status: str | None, limit: int, offset: int) -> list[Run]:
        """Return a page of a thread's runs, the newest first.

        Raises:
            NotFound: there is no such thread of this owner.
        """
        statuses = ["pending", "scheduled"] if status == "pending" else [status] if status else None
        async with acting_for(self._pool, owner_id) as connection:
            if await thread_repository.standing(connection, owner_id, thread_id) is None:
                raise no_such_thread()
            rows = await run_repository.page(connection, owner_id, thread_id, statuses, limit, offset)
        return [_shown(row) for row in rows]

    async def delete(self, owner_id: UUID, thread_id: UUID, run_id: UUID) -> None:
        """Delete a finished run with its events; what it left on the thread stays.

        Raises:
            NotFound: there is no such run on such a thread of this owner.
            Conflict: it is not finished.
        """
        async with acting_for(self._pool, owner_id) as connection:
            deleted = await run_repository.delete_finished(connection, owner_id, thread_id, run_id)
        if not deleted:
            await self.read(owner_id, thread_id, run_id)
            raise Conflict("The run is not finished yet: cancel it first.", code="RUN_NOT_FINISHED")

    async def cancel(self, owner_id: UUID, thread_id: UUID, run_id: UUID, action: CancelAction) -> None:
        """Ask for the end of a run.

        Raises:
            NotFound: there is no such run on such a thread of this owner.
            Conflict: it has ended already.
        """
        await self.read(owner_id, thread_id, run_id)
        if not await self._engine.cancel(owner_id, run_id, action):
            raise Conflict("The run has ended already.", code="RUN_FINISHED")

    def events(self, started: Started, after: EventId = FIRST) -> AsyncIterator[list[Event]]:
        """Yield the events of a run that is known to be the owner's, as many as there are, until it is finished."""
        return self._engine.follow(started.owner_id, started.run_id, after)

    async def until_finished(self, started: Started) -> Outcome | None:
        """Wait until the run is finished or gone; return how it ended, where it did so in this process."""
        return await self._engine.ended(started.owner_id, started.run_id)

    async def final(self, started: Started) -> str:
        """Wait for a run; return as JSON the state that it left, with the interrupts it stopped at, or its error."""
        ended = await self.until_finished(started)
        if (told := None if ended is None else _ending(ended)) is not None:
            return told
        values, interrupts = await self._known_ending(started)
        return _with_interrupts(encode(values), interrupts)

    async def final_within(self, started: Started, seconds: float) -> str | None:
        """Return what `final` does; None where this process does not know it in so short a time."""
        ended = await self._engine.ended(started.owner_id, started.run_id, seconds)
        return None if ended is None else _ending(ended)

    async def _known_ending(self, started: Started) -> tuple[Any, list[dict[str, Any]]]:
        """Return what the database knows of a run's end: values and interrupts."""
        async with acting_for(self._pool, started.owner_id) as connection:
            row = await run_repository.ending(connection, started.owner_id, started.run_id)
        if row is None:
            return _error("RUN_DELETED", "The run was rolled back or deleted."), []
        if row["status"] == RunStatus.error:
            return _error(row["error_code"], row["error_message"]), []
        values, interrupts = row["values"], list(shown(row["interrupts"]).values())
        if not row["is_latest"] or values is None:
            # The thread has moved on, or no copy of its state is kept beside the checkpoints.
            left = await self._left(row["workflow"], started)
            if left is None and row["status"] == RunStatus.success:
                return _error("STATE_DELETED", "The run's checkpoints are deleted: its thread keeps newer ones."), []
            values, interrupts = left or ({}, [])
        return values, interrupts

    async def _left(self, workflow: str, started: Started) -> tuple[Any, list[dict[str, Any]]] | None:
        """Return values and interrupts of the newest checkpoint that a run made; None where there is none."""
        saver = PooledSaver(self._pool, self._runtime.serde)
        graph = with_saver(self._runtime.workflows[workflow], saver)
        config: RunnableConfig = {"configurable": {"thread_id": str(started.thread_id)}}
        made = graph.aget_state_history(config, filter={"run_id": str(started.run_id)}, limit=1)
        async for snapshot in made:
            return snapshot.values, [show_interrupt(item) for item in snapshot.interrupts]
        return None

    async def forget(self, started: Started) -> None:
        """Delete a stateless run's thread, once its answer was given."""
        async with acting_for(self._pool, started.owner_id) as connection:
            await run_repository.delete_ephemeral(connection, started.owner_id, started.thread_id)

    async def abandon(self, started: Started) -> None:
        """Cancel a run whose client went away and wanted that."""
        await self._engine.cancel(started.owner_id, started.run_id)


def _ending(ended: Outcome) -> str | None:
    """Return as JSON how a run ended; None where the outcome does not hold it."""
    if ended.error_code is not None:
        return encode(_error(ended.error_code, ended.error_message or ""))
    if ended.values is not None:
        return _with_interrupts(ended.values, list(shown(ended.interrupts).values()))
    return None


def _with_interrupts(values: str, interrupts: list[dict[str, Any]]) -> str:
    if not interrupts or not values.startswith("{"):
        return values
    rest = values[1:-1]
    return f'{{{rest}{"," if rest else ""}"{_INTERRUPT}":{encode(interrupts)}}}'


def _waits(state: dict[str, Any], answers: tuple[str, ...], *, in_subgraph: bool) -> bool:
    """Tell whether an old state waits for answers: LangGraph would drop a second one, except in a subgraph."""
    open_tasks = [task for task in state["tasks"] if in_subgraph or task["result"] is None]
    waiting = {item["id"] for task in open_tasks for item in task["interrupts"]}
    return bool(waiting) and waiting.issuperset(answers) and (bool(answers) or len(waiting) == 1)


def _error(code: str, message: str) -> dict[str, Any]:
    return {"__error__": {"error": code, "message": message}}


def _shown(row: dict[str, Any]) -> Run:
    """Return a run's row as the protocol has it."""
    request = row["request"]
    options = request.get("options", {})
    command = {"resume": request["resume"], "update": options.get("update"), "goto": options.get("goto")}
    return {
        "run_id": row["id"],
        "thread_id": row["thread_id"],
        "assistant_id": assistant_id(row["workflow"]),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "status": "pending" if row["status"] == RunStatus.scheduled else row["status"],
        "metadata": request.get("metadata", {}),
        "kwargs": {
            "input": request["input"],
            "command": {name: value for name, value in command.items() if value is not None} or None,
            "stream_mode": request["stream_modes"],
            "config": {key: options[key] for key in ("tags", "recursion_limit", "configurable") if key in options},
            "context": options.get("context"),
            "interrupt_before": options.get("interrupt_before"),
            "interrupt_after": options.get("interrupt_after"),
            "subgraphs": options.get("subgraphs", False),
        },
        "multitask_strategy": request.get("strategy", "reject"),
    }
