"""What was offered is done: an answer to what the session waits for, and what came of it (G16–G18)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from core.errors import ColloquyError, Conflict, InvalidInput, TimedOut
from db.database import acting_for
from nodes.interpret_execute.plan import misfit
from nodes.interpret_execute.state import PLAN
from server.interpret import pending, repository, turns
from server.interpret.outcome import WARNINGS, Outcome, outcome_of, refused
from server.interpret.pending import Pending
from server.interpret.schemas import ExecuteRequest
from server.runs.model import Idempotency
from server.runtime import Runtime
from tools.mcp.arguments import problems
from tools.mcp.model import EXEC_FAIL, InvalidArguments

_LATE: Final = "执行超时，操作可能仍在进行，请稍后查询会话状态"


async def execute(runtime: Runtime, user_id: UUID, body: ExecuteRequest, idempotency: Idempotency | None) -> Outcome:
    """Do what is pending on the session, with the offered arguments or with changed ones; once (G16, G17).

    Raises:
        NothingPending: nothing is, or another request was first (EXEC_FAIL).
        Conflict: the tool has changed, or nobody knows whether it has done its work; a further request does it.
        InvalidInput: another action, or arguments that do not fit (EXEC_FAIL); the offer stays pending.
    """
    thread_id = await thread_of(runtime, user_id, body.session_id)
    run_id = await turns.replayed(runtime, user_id, thread_id, idempotency)
    if run_id is None:
        waiting = await pending.of_thread(runtime, user_id, thread_id) if thread_id else ()
        one = pending.chosen(waiting, body.action, body.params)
        if one is not None and thread_id is not None:
            if await _warned(runtime, user_id, thread_id, one):
                # Sent by a client that only repeats what it sent before a crash: it has to know before it decides.
                raise Conflict(WARNINGS[one.kind], code=EXEC_FAIL)
            decision = await decided(runtime, one, body.params)
            run_id = await _answered(runtime, user_id, thread_id, one, decision, idempotency)
        elif waiting:
            raise InvalidInput("action 与待确认的操作不一致", code=EXEC_FAIL)
        else:
            run_id = await _directly(runtime, user_id, body, idempotency)
    return await awaited(runtime, user_id, run_id)


async def thread_of(runtime: Runtime, user_id: UUID, session_id: str) -> UUID | None:
    """Return the thread of the user's session; None where there is no such session."""
    async with runtime.database.transaction(user_id) as session:
        found = await repository.find_session(session, user_id, session_id)
    return found.thread_id if found else None


async def _answered(
    runtime: Runtime,
    user_id: UUID,
    thread_id: UUID,
    one: Pending,
    decision: dict[str, Any],
    idempotency: Idempotency | None,
) -> UUID:
    try:
        return await turns.answer(runtime, user_id, thread_id, one.interrupt_id, decision, idempotency)
    except turns.NothingPending as error:
        raise turns.NothingPending(error.message, code=EXEC_FAIL) from None


async def _directly(runtime: Runtime, user_id: UUID, body: ExecuteRequest, idempotency: Idempotency | None) -> UUID:
    """Call a tool without an offer, where the operator lets integrators do that (G17)."""
    if runtime.settings.execute_require_confirm:
        raise turns.NothingPending(turns.NOTHING_PENDING, code=EXEC_FAIL)
    await _check(runtime, body.action, body.params)
    async with runtime.database.transaction(user_id) as session:
        opened = await repository.open_session(session, user_id, body.session_id, runtime.ids.uuid(), "executing")
    given = {"direct": {"action": body.action, "params": body.params}}
    try:
        return await turns.begin(runtime, user_id, opened.thread_id, given, idempotency)
    except ColloquyError as error:
        async with runtime.database.transaction(user_id) as session:
            await repository.put_back(session, user_id, opened, "executing")
        if isinstance(error, turns.Busy):
            raise Conflict(error.message, code=EXEC_FAIL) from None
        raise


async def decided(runtime: Runtime, one: Pending, params: dict[str, Any]) -> dict[str, Any]:
    """Return the decision that these arguments are: approval of the offered ones, or a change of them.

    Raises:
        InvalidInput: they cannot be changed here, or do not fit (EXEC_FAIL).
        ToolUnreachable: the tool's server is down.
    """
    if one.is_offered(params):
        if one.kind == "changed":
            await _check(runtime, one.action, params)
        return {"type": "approve"}
    if "edit" not in one.allowed:
        raise InvalidInput("这一步的参数不能修改", code=EXEC_FAIL)
    if one.kind == "input":
        if found := problems(one.schema or {}, params):
            raise InvalidArguments(found)
    elif one.action == PLAN:
        await _check_plan(runtime, one, params)
    else:
        await _check(runtime, one.action, params)
    return {"type": "edit", "edited_action": {"name": one.action, "args": params}}


async def _check_plan(runtime: Runtime, one: Pending, params: Mapping[str, Any]) -> None:
    offered, given = one.params["steps"], params.get("steps")
    if not isinstance(given, list) or [_frame(step) for step in given] != [_frame(step) for step in offered]:
        raise InvalidInput("计划的步骤不能增减，只能修改参数", code=EXEC_FAIL)
    for before, after in zip(offered, given, strict=True):
        if after["params"] != before["params"]:
            await _check(runtime, after["action"], after["params"])


def _frame(step: object) -> object:
    """Return what of a plan's step cannot be changed."""
    if not isinstance(step, Mapping) or not isinstance(step.get("params"), Mapping):
        return None
    return {**step, "params": {}}


async def _check(runtime: Runtime, action: str, params: Mapping[str, Any]) -> None:
    tool = await runtime.tools.find(action)
    # References to earlier results fit anywhere: they are checked when their values are there.
    if found := misfit(tool, params):
        raise InvalidArguments(found)


async def awaited(runtime: Runtime, user_id: UUID, run_id: UUID) -> Outcome:
    """Wait for what was begun, and return what is answered."""
    try:
        end = await ended(runtime, user_id, run_id)
    except ColloquyError as error:
        return refused(error)
    for one in end.waiting:
        await _warned(runtime, user_id, end.thread_id, one)
    return outcome_of(end.output, end.waiting)


@dataclass(frozen=True)
class Ended:
    """What a run on a thread came to: the workflow's output, and what it stopped at."""

    thread_id: UUID
    output: dict[str, Any]
    waiting: tuple[Pending, ...]


async def ended(runtime: Runtime, user_id: UUID, run_id: UUID) -> Ended:
    """Wait for what was begun, within the budget of execute; a tool at work is not broken off.

    Raises:
        TimedOut: the budget ran out; the run goes on.
        ColloquyError: the run failed.
    """
    late = TimedOut(_LATE, code=EXEC_FAIL)
    seconds = runtime.settings.execute_timeout_seconds
    result = await turns.finished(runtime, user_id, run_id, seconds, late)
    output = result.output
    if not output:
        # It stopped again before a step came to its end: the state is as it was.
        output = (await runtime.engine.state(user_id, result.thread_id)).values
    return Ended(result.thread_id, output, pending.all_of(result.interrupts.values()))


async def _warned(runtime: Runtime, user_id: UUID, thread_id: UUID, one: Pending) -> bool:
    """Note that the caller is told of a changed tool or an unknown outcome; False where that was noted before."""
    if one.kind not in WARNINGS:
        return False
    async with acting_for(runtime.database.pool, user_id) as connection:
        return await repository.note(
            connection,
            user_id,
            thread_id,
            key=f"warned:{one.interrupt_id}",
            status=None,
            step="execute",
            outcome="failed",
            message=WARNINGS[one.kind],
        )
