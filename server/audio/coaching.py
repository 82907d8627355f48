"""Strategies on demand: what is stored is given; of several requests one begins the run (A027, G08)."""

import asyncio
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, InvalidInput, NotFound
from db.models.platform import Run
from server.audio import analysing
from server.audio.records import not_analysed
from server.audio.repository import strategies
from server.audio.repository.sessions import Found
from server.audio.schemas import StrategyView
from server.audio.sessions import strategy_of
from server.idempotency import key_reused
from server.runs.model import Idempotency, RunRequest, RunStatus
from server.runtime import Runtime

WORKFLOW: Final = "audio_strategy"
_LOOK_SECONDS: Final = 0.1
# Who plans a strategy begins its run at once. If there is none after that, his process is gone.
_START_SECONDS: Final = 5.0
BROKEN: Final = ("error", "interrupted")


@dataclass(frozen=True)
class Asked:
    """A strategy that is stored, or the run that makes it."""

    user_id: UUID
    session_id: UUID
    stored: StrategyView | None = None
    run_id: UUID | None = None


@dataclass(frozen=True)
class _Plan:
    """What to do for a request: give what is stored, wait for another's run, begin one, or go on with a broken one."""

    kind: Literal["stored", "join", "begin", "go_on"]
    thread_id: UUID
    strategy_id: UUID


async def ask(
    runtime: Runtime, user_id: UUID, session_id: UUID, *, force: bool, idempotency: Idempotency | None
) -> Asked:
    """Return the strategy that is stored, or begin (or take up) the run that makes one.

    Raises:
        NotFound: there is no such recording of this user.
        Conflict: it is not analysed yet.
        InvalidInput: the idempotency key belongs to another request.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await analysing.read(session, user_id, session_id, lock=True)
        if found.status != "completed":
            raise not_analysed()
        force = force and not await _is_repeated(session, user_id, found, idempotency)
        plan = await _plan(runtime, session, user_id, found, force=force)
        stored = await strategy_of(session, user_id, session_id) if plan.kind == "stored" else None
    if stored is not None:
        return Asked(user_id, session_id, stored=stored)
    if plan.kind == "join" and (run_id := await _joined(runtime, user_id, found)) is not None:
        return Asked(user_id, session_id, run_id=run_id)
    run_id = await _start(runtime, user_id, session_id, plan, idempotency)
    if plan.kind == "begin" and found.strategy_thread_id not in (None, plan.thread_id):
        # The one before: what it stored is in tables of ours.
        await runtime.engine.delete_thread(user_id, found.strategy_thread_id)
    return Asked(user_id, session_id, run_id=run_id)


async def _is_repeated(session: AsyncSession, user_id: UUID, found: Found, idempotency: Idempotency | None) -> bool:
    """Tell whether this very request was made before: then it forces nothing new."""
    known = await strategies.key_of(session, user_id, idempotency.key) if idempotency is not None else None
    if known is None or idempotency is None:
        return False
    digest, thread_id = known
    if digest != idempotency.request_sha256:
        raise key_reused()
    return bool(thread_id == found.strategy_thread_id)


async def _plan(runtime: Runtime, session: AsyncSession, user_id: UUID, found: Found, *, force: bool) -> _Plan:
    """Decide, under the session's lock, so that of several requests one begins."""
    stored = await strategies.of_session(session, user_id, found.session_id)
    run = None
    if found.strategy_thread_id is not None:
        run = await strategies.newest_run(session, user_id, found.strategy_thread_id)
        known = found.strategy_thread_id, found.strategy_id
        if is_under_way(run, found):
            return _Plan("join", *known)
        is_stored = stored is not None and stored.strategy_id == found.strategy_id
        is_whole = is_stored and not any(one["status"] == "pending" for one in stored.visual_data)  # type: ignore[union-attr]
        if (run is None or run.status in BROKEN) and not is_whole and (force or stored is None or is_stored):
            await strategies.ask_again(session, user_id, found.session_id)
            return _Plan("begin" if run is None else "go_on", *known)
    if stored is not None and not force:
        return _Plan("stored", found.strategy_thread_id or stored.id, stored.strategy_id)
    plan = _Plan("begin", runtime.ids.uuid(), runtime.ids.uuid())
    await strategies.plan(session, user_id, found.session_id, strategy_id=plan.strategy_id, thread_id=plan.thread_id)
    return plan


def is_under_way(run: Run | None, found: Found) -> bool:
    """Tell whether the strategy that was last asked for is being made."""
    if run is not None and run.created_at >= found.strategy_asked_at:
        return not RunStatus(run.status).finished
    # Whoever asked for it is about to begin it.
    return bool((found.now - found.strategy_asked_at).total_seconds() < _START_SECONDS)


async def _joined(runtime: Runtime, user_id: UUID, found: Found) -> UUID | None:
    """Return the run that another request has begun, or is just beginning."""
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        async with runtime.database.transaction(user_id) as session:
            run = await strategies.newest_run(session, user_id, found.strategy_thread_id)
        if run is not None and run.created_at >= found.strategy_asked_at:
            return run.id
        await asyncio.sleep(_LOOK_SECONDS)
    return None


async def _start(
    runtime: Runtime, user_id: UUID, session_id: UUID, plan: _Plan, idempotency: Idempotency | None
) -> UUID:
    given = {"session_id": str(session_id), "strategy_id": str(plan.strategy_id)}
    goes_on = plan.kind != "begin" and await _has_begun(runtime, user_id, plan.thread_id)
    request = RunRequest(
        thread_id=plan.thread_id,
        owner_id=user_id,
        workflow=WORKFLOW,
        input=None if goes_on else given,
        metadata=given,
        idempotency=idempotency,
    )
    try:
        return await runtime.engine.start(request)
    except Conflict:
        newest = await runtime.engine.newest(user_id, plan.thread_id)
        if newest is None:
            raise
        return newest[0].run_id
    except InvalidInput:
        raise key_reused() from None


async def _has_begun(runtime: Runtime, user_id: UUID, thread_id: UUID) -> bool:
    try:
        return bool((await runtime.engine.state(user_id, thread_id)).next)
    except NotFound:
        return False
