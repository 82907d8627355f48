"""Sessions: begin one, add what was said, read them (E012–E016, E026–E029, G48, G49, G54)."""

from typing import Any, Final, Literal
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import render_milliseconds
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from db.models.counseling import CounselingSession
from server.counseling import repository, weeks
from server.counseling.members import Member, check, id_of, no_such
from server.counseling.schemas import (
    ChatLine,
    Homework,
    LastChat,
    LastCompleted,
    MessageBody,
    SessionDetail,
    SessionItem,
    SessionPage,
    SessionStart,
    StartedSession,
)
from server.runtime import Runtime

LOCKED: Final = "student_locked_for_week"


async def start(runtime: Runtime, member: Member, body: SessionStart) -> StartedSession:
    """Begin a session under the instance's next number, or the given one.

    Raises:
        NotFound: there is no such instance.
        Forbidden: it is out of the caller's range, or he is a student who missed this week's deadline (E014, G54).
        InvalidInput: `auto` is false and no number is given.
        Conflict: the number is taken.
    """
    if not body.auto and body.session_number is None:
        raise InvalidInput("auto 为 false 时必须提供 sessionNumber")
    instance_id, now = id_of(member, body.visitor_instance_id), runtime.clock.now()
    async with runtime.database.transaction(member.user_id) as session:
        student_id = check(member, await repository.locate(session, "instance", instance_id))
        if member.role == "student":
            week = weeks.week_of(now)
            enrolled = await repository.enrolled_at(session, student_id)
            if weeks.is_locked(now, enrolled, await repository.handed_in(session, student_id, week)):
                raise Forbidden("本周已失去开启对话权限（北京时间）", code=LOCKED)
        number = None if body.auto else body.session_number
        made = await repository.insert_session(session, student_id, instance_id, now, number)
    if made is None:
        raise Conflict("该会话号已存在", code="session_number_taken")
    return StartedSession(session_id=made[0], session_number=made[1])


async def append(runtime: Runtime, member: Member, session_id: str, body: MessageBody) -> None:
    """Add a message; nothing that was accepted is lost, however many come at once (W31).

    Raises:
        NotFound: there is no such session.
        Forbidden: it is out of the caller's range.
        Conflict: it is finalised (session_finalized), or full (chat_history_full).
    """
    id_ = id_of(member, session_id)
    line = {
        "speaker": body.speaker,
        "content": body.content,
        "timestamp": render_milliseconds(runtime.clock.now()),
        "source": "client",
    }
    # The policies let through the callers who may write; the others are told why afterwards.
    if not await repository.append(runtime.database.pool, member.user_id, id_, line):
        async with runtime.database.transaction(member.user_id) as session:
            raise await _refusal(session, member, id_)


async def _refusal(session: AsyncSession, member: Member, session_id: UUID) -> Conflict | NotFound:
    """Return why a session takes no message.

    Raises:
        NotFound: there is no such session.
        Forbidden: it is out of the caller's range.
    """
    check(member, await repository.locate(session, "session", session_id))
    found = await repository.read(session, session_id)
    if found is None:
        return no_such(member)
    if found.finalized_at is not None or found.finalize_thread_id is not None:
        return session_finalized()
    return Conflict("会话消息已达上限", code="chat_history_full")


def session_finalized() -> Conflict:
    """Return the error for a session that has ended (G49)."""
    return Conflict("会话已结束", code="session_finalized")


async def last(
    runtime: Runtime, member: Member, instance: str, view: Literal["completed"] | None
) -> LastChat | LastCompleted:
    """Return an instance's newest session: its messages, or with `view` the newest finalised one's summary (K10).

    Raises:
        NotFound: there is no such instance, or no such session of it.
        Forbidden: it is out of the caller's range.
    """
    instance_id = id_of(member, instance)
    async with runtime.database.transaction(member.user_id) as session:
        check(member, await repository.locate(session, "instance", instance_id))
        found = await repository.newest(session, instance_id, completed=view == "completed")
    if found is None:
        raise NotFound("还没有会话")
    if view is None:
        return LastChat(
            session_id=found.id, session_number=found.session_number, chat_history=_chat(found.chat_history)
        )
    return LastCompleted(
        session_id=found.id,
        session_number=found.session_number,
        session_diary=found.session_diary,
        pre_session_activity=as_text(found.pre_session_activity),
        homework=[Homework.model_validate(one) for one in found.homework],
    )


async def list_page(runtime: Runtime, member: Member, instance: str, *, page: int, page_size: int) -> SessionPage:
    """Return a page of an instance's sessions, the newest first.

    Raises:
        NotFound: there is no such instance.
        Forbidden: it is out of the caller's range.
    """
    instance_id = id_of(member, instance)
    async with runtime.database.transaction(member.user_id) as session:
        check(member, await repository.locate(session, "instance", instance_id))
        rows = await repository.page(session, instance_id, limit=page_size, offset=(page - 1) * page_size)
    return SessionPage(items=[SessionItem.model_validate(row) for row in rows], page=page, page_size=page_size)


async def read(runtime: Runtime, member: Member, session_id: str) -> SessionDetail:
    """Return a session in full.

    Raises:
        NotFound: there is no such session.
        Forbidden: it is out of the caller's range.
    """
    id_ = id_of(member, session_id)
    async with runtime.database.transaction(member.user_id) as session:
        check(member, await repository.locate(session, "session", id_))
        found = await repository.read(session, id_)
    if found is None:
        raise no_such(member)
    return _detail(found)


def _detail(found: CounselingSession) -> SessionDetail:
    return SessionDetail(
        session_id=found.id,
        session_number=found.session_number,
        chat_history=_chat(found.chat_history),
        session_diary=found.session_diary,
        pre_session_activity=found.pre_session_activity,
        homework=[Homework.model_validate(one) for one in found.homework],
    )


def _chat(history: list[dict[str, Any]]) -> list[ChatLine]:
    return [ChatLine.model_validate(line) for line in history]


def as_text(activity: dict[str, Any] | None) -> str | None:
    """Return an activity report as the string that some answers hold (K07)."""
    return None if activity is None else orjson.dumps(activity).decode()
