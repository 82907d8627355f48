"""What assistants and administrators see and do (E053–E060, E066, E067, G57, G58, G63)."""

from typing import Final, Literal
from uuid import UUID

from core.errors import Forbidden, InvalidInput, NotFound
from server.counseling import repository, staff_repository, weeks
from server.counseling.members import Member, check, id_of
from server.counseling.note_schemas import Items
from server.counseling.staff_schemas import (
    ActivityEntry,
    AssignBody,
    Completion,
    CompletionItem,
    ComplianceItem,
    DiaryEntry,
    History,
    HomeworkEntry,
    MemoryEntry,
    StudentItem,
    StudentSession,
    VisitorItem,
)
from server.runtime import Runtime

# About two terms.
_MOST_WEEKS: Final = 52


async def class_students(
    runtime: Runtime, member: Member, class_id: int | None, view: Literal["completion"] | None
) -> Items[CompletionItem | StudentItem]:
    """Return the students of one's class, or for an administrator of any; with their completion if wanted (E055)."""
    wanted = _class_of(member, class_id)
    now = runtime.clock.now()
    async with runtime.database.transaction(member.user_id) as session:
        rows = await staff_repository.students(session, class_id=wanted)
        if view is None:
            return Items(items=[StudentItem.model_validate(row) for row in rows])
        since = await staff_repository.first_enrolled(session)
        decided = weeks.decided(since or now, now, _MOST_WEEKS)
        counts = await staff_repository.completion(session, wanted, decided)
    return Items(
        items=[
            CompletionItem(
                **vars(StudentItem.model_validate(row)), completion=_completion(*counts.get(row.auth_user_id, (0, 0)))
            )
            for row in rows
        ]
    )


def _completion(due: int, completed: int) -> Completion:
    return Completion(weeks=due, completed=completed, rate=round(completed / due, 3) if due else None)


def _class_of(member: Member, wanted: int | None) -> int | None:
    """Return the class to show; an assistant sees his own, whatever he asks for is refused or the same.

    Raises:
        Forbidden: it is another class than the assistant's.
    """
    if member.role == "admin":
        return wanted
    if wanted is not None and wanted != member.class_id:
        raise Forbidden("数据不在当前角色的范围内")
    return member.class_id


async def class_student_sessions(runtime: Runtime, member: Member, student: str) -> Items[StudentSession]:
    """Return when a student of one's class had sessions, the newest first.

    Raises:
        NotFound: there is no such student.
        Forbidden: he is in another class.
    """
    student_id = id_of(member, student)
    async with runtime.database.transaction(member.user_id) as session:
        check(member, await repository.locate(session, "student", student_id))
        rows = await staff_repository.class_sessions(session, student_id)
    return Items(items=[StudentSession.model_validate(row) for row in rows])


async def compliance(runtime: Runtime, member: Member, week: str | None, class_id: int | None) -> Items[ComplianceItem]:
    """Return a week of one's class in flags; the present week where none is named.

    Raises:
        InvalidInput: it is no week, or one that has not begun.
        Forbidden: it is another class than the assistant's.
    """
    now = runtime.clock.now()
    this = weeks.week_of(now)
    try:
        wanted = this if week is None else weeks.parse(week)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    if wanted > this:
        raise InvalidInput("这一周还没有开始")
    async with runtime.database.transaction(member.user_id) as session:
        rows = await staff_repository.compliance(session, wanted, now, _class_of(member, class_id))
    return Items(items=[ComplianceItem.model_validate(row) for row in rows])


async def visitors(runtime: Runtime, member: Member) -> Items[VisitorItem]:
    """Return the instances that an assistant is responsible for; for an administrator all."""
    async with runtime.database.transaction(member.user_id) as session:
        rows = await staff_repository.visitors(session, None if member.role == "admin" else member.user_id)
    return Items(items=[VisitorItem.model_validate(row) for row in rows])


async def students(runtime: Runtime, member: Member, instance: str | None) -> Items[StudentItem]:
    """Return the student of an instance, or all whom one is bound to (G58).

    Raises:
        NotFound: there is no such instance.
        Forbidden: it is out of the caller's range.
    """
    async with runtime.database.transaction(member.user_id) as session:
        student_id: UUID | None = None
        if instance is not None:
            found = await repository.locate(session, "instance", id_of(member, instance))
            student_id = check(member, found)
        rows = await staff_repository.students(session, student_id=student_id)
    return Items(items=[StudentItem.model_validate(row) for row in rows])


async def student_sessions(runtime: Runtime, member: Member, student: str) -> Items[StudentSession]:
    """Return a student's sessions, the newest first.

    Raises:
        NotFound: there is no such student.
        Forbidden: one is not bound to him.
    """
    student_id = id_of(member, student)
    async with runtime.database.transaction(member.user_id) as session:
        check(member, await repository.locate(session, "student", student_id))
        rows = await staff_repository.sessions_of(session, student_id)
    return Items(items=[StudentSession.model_validate(row) for row in rows])


async def history(runtime: Runtime, member: Member, student: str) -> History:
    """Return all that a student's sessions left, the newest first (E057).

    Raises:
        NotFound: there is no such student.
        Forbidden: one is not bound to him.
    """
    student_id = id_of(member, student)
    async with runtime.database.transaction(member.user_id) as session:
        check(member, await repository.locate(session, "student", student_id))
        rows = await staff_repository.sessions_of(session, student_id)
        versions = await staff_repository.memory_versions(session, student_id)
    return History(
        diary=[DiaryEntry.model_validate(row) for row in rows if row.session_diary is not None],
        activity=[ActivityEntry.model_validate(row) for row in rows if row.pre_session_activity is not None],
        homework=[HomeworkEntry.model_validate(row) for row in rows if row.homework],
        ltm=[MemoryEntry.model_validate(version) for version in versions],
    )


async def assign(runtime: Runtime, member: Member, body: AssignBody) -> None:
    """Bind a student to an assistant, in place of the one he has (G63).

    Raises:
        NotFound: an address or the instance is unknown.
        InvalidInput: one of them has another role, or the instance is another student's.
    """
    try:
        instance_id = UUID(body.visitor_instance_id)
    except ValueError:
        raise NotFound("来访者实例不存在") from None
    async with runtime.database.transaction(member.user_id) as session:
        outcome = await staff_repository.assign(
            session, body.assistant_email, body.student_email, instance_id, runtime.clock.now()
        )
    match outcome:
        case "ok":
            return
        case "no_assistant" | "no_student":
            raise NotFound("该邮箱不存在")
        case "no_instance":
            raise NotFound("来访者实例不存在")
        case "not_an_assistant":
            raise InvalidInput("assistantEmail 不是技术助教")
        case "not_a_student":
            raise InvalidInput("studentEmail 不是学生")
        case "foreign_instance":
            raise InvalidInput("该来访者实例不属于这名学生")
    raise Forbidden("需要管理员权限")
