"""One's recordings: lists, one with all that was made of it, and its end (A023, A024, G07)."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.audio import analysing, files
from server.audio.records import no_such_session
from server.audio.repository import analyses, sessions, strategies
from server.audio.schemas import (
    AnalysisView,
    SessionDetail,
    SessionItem,
    SessionList,
    Status,
    StrategyView,
)
from server.paging import Pagination
from server.runtime import Runtime


async def list_page(
    runtime: Runtime, user_id: UUID, *, status: Status | None, page: int, page_size: int
) -> SessionList:
    """Return a page of one's recordings, newest first, of one status if asked."""
    async with runtime.database.transaction(user_id) as session:
        rows, total = await sessions.page(session, user_id, status, limit=page_size, offset=(page - 1) * page_size)
    return SessionList(
        sessions=[SessionItem.model_validate(row) for row in rows], pagination=Pagination.of(page, page_size, total)
    )


async def read(runtime: Runtime, user_id: UUID, session_id: UUID) -> SessionDetail:
    """Return a recording, what was found in it, and its strategy.

    Raises:
        NotFound: there is no such recording of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await analysing.read(session, user_id, session_id)
        analysis = await analyses.of_session(session, user_id, session_id)
        strategy = await strategy_of(session, user_id, session_id)
    item: dict[str, Any] = dict(SessionItem.model_validate(found))
    return SessionDetail(
        **item, analysis=AnalysisView.model_validate(analysis) if analysis is not None else None, strategy=strategy
    )


async def strategy_of(session: AsyncSession, user_id: UUID, session_id: UUID) -> StrategyView | None:
    """Return a session's strategy as clients see it: without the keys of its pictures."""
    stored = await strategies.of_session(session, user_id, session_id)
    return None if stored is None else StrategyView.model_validate(stored, from_attributes=True)


async def delete(runtime: Runtime, user_id: UUID, session_id: UUID) -> None:
    """Delete a recording: its files, what was made of it, and what its runs left in the engine.

    Raises:
        NotFound: there is no such recording of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await sessions.find(session, user_id, session_id)
    if found is None:
        raise no_such_session()
    # First the threads: a run that is under way can then write no more.
    for thread_id in filter(None, (found.analysis_thread_id, found.strategy_thread_id)):
        await runtime.engine.delete_thread(user_id, thread_id)
    async with runtime.database.transaction(user_id) as session:
        threads = await sessions.remove(session, user_id, session_id)
    # A strategy may have been begun meanwhile, on a thread of its own.
    for thread_id in threads:
        await runtime.engine.delete_thread(user_id, thread_id)
    await files.sweep(runtime.database, runtime.storage, user_id)
