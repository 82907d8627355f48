"""What became of a strategy that was asked for: the answer, its stream, and how it stands (A027, G08)."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import structlog
from sse_starlette import ServerSentEvent

from core.errors import ColloquyError, Conflict, InvalidInput, ModelFailed, NotFound, TimedOut, Unavailable
from db.models.platform import Run
from server.audio import analysing
from server.audio.coaching import BROKEN, Asked, is_under_way
from server.audio.progress import Steps, reason, remaining, seconds
from server.audio.records import no_such_session
from server.audio.repository import strategies
from server.audio.schemas import StrategyState, StrategyView
from server.audio.sessions import strategy_of
from server.families import AUDIO
from server.runs.model import RunResult, RunStatus
from server.runtime import Runtime
from server.sse import frame

log = structlog.get_logger(__name__)

# By the status of a run's error; one that was stopped has none.
_KINDS: Final[dict[int | None, type[ColloquyError]]] = {
    None: Conflict,
    **{kind.status: kind for kind in (InvalidInput, Conflict, ModelFailed, Unavailable, TimedOut)},
}


async def answer(runtime: Runtime, asked: Asked) -> StrategyView:
    """Wait for the strategy within the budget.

    Raises:
        TimedOut: the budget ran out; the run goes on, and asking again waits for it.
        ColloquyError: the run failed; asking again goes on where it did.
    """
    if asked.stored is not None or asked.run_id is None:
        return _there(asked.stored)
    budget = runtime.settings.strategy_timeout_seconds
    result = await runtime.engine.wait(asked.user_id, asked.run_id, budget)
    if not result.status.finished:
        raise TimedOut("策略生成超时，请稍后重试")
    if result.status != RunStatus.success:
        raise failure(result)
    async with runtime.database.transaction(asked.user_id) as session:
        return _there(await strategy_of(session, asked.user_id, asked.session_id))


def _there(strategy: StrategyView | None) -> StrategyView:
    if strategy is None:
        # It was deleted while it was made.
        raise no_such_session()
    return strategy


def failure(result: RunResult) -> ColloquyError:
    """Return the error for a run that gave no result; what is not the caller's to know has a sentence of its own."""
    log.warning("audio_run_failed", error_code=result.error_code)
    message = reason(result.error_status, result.error_code, result.error_message)
    if result.error_status == NotFound.status:
        return no_such_session()
    kind = _KINDS.get(result.error_status)
    return ColloquyError(message) if kind is None else kind(message, code=result.error_code or "CANCELLED")


async def stream(runtime: Runtime, asked: Asked) -> AsyncIterator[ServerSentEvent]:
    """Yield what the run tells; the last event is the one-shot answer, or the family's error."""
    try:
        if asked.run_id is not None:
            seconds_ = runtime.settings.strategy_timeout_seconds
            async for event in runtime.engine.stream(asked.user_id, asked.run_id, timeout=seconds_):
                if event.event == "custom":
                    told = event.data
                    yield frame(str(told.pop("type", "progress")), told, str(event.id))
                elif event.event == "metadata" and event.data["attempt"] > 1:
                    # The run goes on in another process: what the step in flight told is told again.
                    yield frame("reset", {}, str(event.id))
        strategy = await answer(runtime, asked)
    except ColloquyError as error:
        yield frame("error", AUDIO.body.of(error).model_dump(exclude_none=True))
    else:
        yield frame("result", {"code": 200, "message": "success", "data": strategy.model_dump(mode="json")})


async def state(runtime: Runtime, user_id: UUID, session_id: UUID) -> StrategyState:
    """Tell how the strategy stands that was last asked for, without asking for one.

    Raises:
        NotFound: there is no such recording of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await analysing.read(session, user_id, session_id)
        thread_id = found.strategy_thread_id
        run = await strategies.newest_run(session, user_id, thread_id) if thread_id is not None else None
        strategy = await strategy_of(session, user_id, session_id)
    steps = Steps(done=seconds(found.strategy_steps), count=found.strategy_step_count)
    is_running = thread_id is not None and is_under_way(run, found)
    is_broken = run is not None and not is_running and run.status in BROKEN
    begun = run.started_at.timestamp() if run is not None and run.started_at else None
    done = 0 if strategy is not None else None
    return StrategyState(
        status="running" if is_running else "failed" if is_broken else "completed" if strategy else "none",
        progress=steps.percent(completed=strategy is not None and not is_running and not is_broken),
        estimatedTimeRemaining=remaining(steps, begun, found.now.timestamp()) if is_running else done,
        failureReason=_why(run) if is_broken else None,
        strategy=strategy,
    )


def _why(run: Run | None) -> str | None:
    return None if run is None else reason(run.error_status, run.error_code, run.error_message)
