"""What can be done with call records and agents."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from core.clock import beijing_midnight
from core.errors import Conflict, InvalidInput, NotFound
from db.database import Database, Pool
from db.models.calls import CallRecord
from nodes.call_summary.transcript import has_substance
from server.auth.acting import Acting, answered
from server.calls import record_statements, repository
from server.calls.record_statements import CallFilter
from server.calls.schemas import (
    AgentCreate,
    AgentDetail,
    AgentList,
    AppendedMessage,
    CallCreate,
    CallDetail,
    CallList,
    CallListItem,
    CallPatch,
    CallQuery,
    CreatedCall,
    MessageAppend,
)
from server.paging import Pagination
from server.runs.engine import RunEngine


def no_such_call() -> NotFound:
    """Return the error for a call that does not exist, or is another's."""
    return NotFound("通话记录不存在")


def nothing_said() -> InvalidInput:
    """Return the error for a call that has nothing to summarise."""
    return InvalidInput("通话没有可以总结的内容", code="NO_MESSAGES")


async def create(pool: Pool, caller: Acting, body: CallCreate) -> CreatedCall:
    """Record a call that begins.

    Raises:
        NotFound: the agent does not exist, or is another user's (G23).
    """
    [rows] = await answered(pool, caller, record_statements.insert(caller.user_id, body.model_dump()))
    if not rows:
        raise NotFound("智能体不存在", code="AGENT_NOT_FOUND")
    return CreatedCall.model_validate(rows[0])


async def read(pool: Pool, caller: Acting, call_id: UUID) -> CallDetail:
    """Return one call.

    Raises:
        NotFound: it does not exist, or is another user's.
    """
    [rows] = await answered(pool, caller, record_statements.find(caller.user_id, call_id))
    if not rows:
        raise no_such_call()
    return CallDetail.model_validate(rows[0])


async def find(database: Database, user_id: UUID, call_id: UUID) -> CallRecord:
    """Return all of a call, what is not shown of it too.

    Raises:
        NotFound: it does not exist, or is another user's.
    """
    async with database.transaction(user_id) as session:
        call = await repository.find_call(session, user_id, call_id)
    if call is None:
        raise no_such_call()
    return call


async def change(
    database: Database, user_id: UUID, call_id: UUID, body: CallPatch, *, must_speak: bool = False
) -> CallRecord:
    """Change what the body names, and nothing else (G24).

    Args:
        database: where the calls are.
        user_id: whose call it is.
        call_id: the call.
        body: the changes.
        must_speak: whether there has to be something to summarise afterwards.

    Raises:
        NotFound: the call does not exist, or is another user's.
        InvalidInput: it would end before it starts, or has nothing to summarise (NO_MESSAGES).
    """
    async with database.transaction(user_id) as session:
        call = await repository.find_call(session, user_id, call_id, lock=True)
        if call is None:
            raise no_such_call()
        for name, value in body.model_dump(exclude_unset=True, exclude={"metadata"}).items():
            setattr(call, name, value)
        if body.metadata:
            call.details = call.details | body.metadata
        if call.end_time is not None:
            _check_times(call.start_time, call.end_time)
            if "end_time" in body.model_fields_set and body.duration_seconds is None:
                call.duration_seconds = int((call.end_time - call.start_time).total_seconds())
        if must_speak and not has_substance(call.messages):
            raise nothing_said()
    return call


async def append(pool: Pool, caller: Acting, call_id: UUID, body: MessageAppend) -> AppendedMessage:
    """Add one message at the end of a call.

    Raises:
        NotFound: the call does not exist, or is another user's.
        Conflict: another message has its position, or those before it are missing (MESSAGE_POSITION); or there is no
            room for more (TRANSCRIPT_FULL).
    """
    message = body.model_dump(exclude={"position"})
    position = body.position
    [added] = await answered(pool, caller, record_statements.append(caller.user_id, call_id, message, position))
    if added:
        total = added[0]["total"]
        return AppendedMessage(id=call_id, position=total - 1, total_messages=total)
    [found] = await answered(pool, caller, record_statements.message_at(caller.user_id, call_id, position or 0))
    if not found:
        raise no_such_call()
    total = found[0]["total"]
    if position is None or total == position:
        raise Conflict("通话内容已达上限", code="TRANSCRIPT_FULL")
    if found[0]["message"] != message:
        raise Conflict(f"该通话现有{total}条消息，位置{position}不可用", code="MESSAGE_POSITION")
    return AppendedMessage(id=call_id, position=position, total_messages=total)


def _check_times(start: datetime, end: datetime) -> None:
    if end < start:
        raise InvalidInput("结束时间不能早于开始时间")


async def list_page(pool: Pool, caller: Acting, asked: CallQuery) -> CallList:
    """Return a page of calls, newest first; both dates are Beijing's and inclusive (G27).

    Raises:
        InvalidInput: the end date is before the start date.
    """
    if asked.start_date and asked.end_date and asked.end_date < asked.start_date:
        raise InvalidInput("end_date 不能早于 start_date")
    chosen = CallFilter(
        agent_id=asked.agent_id,
        since=beijing_midnight(asked.start_date) if asked.start_date else None,
        until=beijing_midnight(asked.end_date + timedelta(days=1)) if asked.end_date else None,
    )
    offset = (asked.page - 1) * asked.page_size
    page, count = record_statements.page(caller.user_id, chosen, limit=asked.page_size, offset=offset)
    rows, [counted] = await answered(pool, caller, page, count)
    return CallList(
        records=[CallListItem.model_validate(row) for row in rows],
        pagination=Pagination.of(asked.page, asked.page_size, counted["total"]),
    )


async def delete(database: Database, engine: RunEngine, user_id: UUID, call_id: UUID) -> None:
    """Delete a call and all that its summaries left in the engine.

    Raises:
        NotFound: it does not exist, or is another user's.
    """
    async with database.transaction(user_id) as session:
        found, thread_id = await repository.delete_call(session, user_id, call_id)
    if not found:
        raise no_such_call()
    if thread_id is not None:
        await engine.delete_thread(user_id, thread_id)


async def create_agent(database: Database, user_id: UUID, body: AgentCreate) -> AgentDetail:
    """Make an agent of one's own."""
    async with database.transaction(user_id) as session:
        agent = await repository.insert_agent(session, user_id, body.model_dump())
    return _agent_detail(agent)


async def list_agents(database: Database, user_id: UUID, *, page: int, page_size: int) -> AgentList:
    """Return a page of one's own and the shared agents."""
    async with database.transaction(user_id) as session:
        agents, total = await repository.list_agents(session, user_id, limit=page_size, offset=(page - 1) * page_size)
    return AgentList(
        agents=[_agent_detail(agent) for agent in agents], pagination=Pagination.of(page, page_size, total)
    )


def _agent_detail(agent: Any) -> AgentDetail:
    agent.shared = agent.user_id is None
    return AgentDetail.model_validate(agent)
