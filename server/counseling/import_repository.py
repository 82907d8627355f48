"""SQL of the whitelist's import, under the system role; each statement may come again (E077–E079, W40)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.auth import User
from db.models.counseling import AssistantStudent, CounselingUser, VisitorInstance
from db.models.counseling_login import WhitelistEmail
from server.counseling.whitelist import Listed


async def number_holder(session: AsyncSession, user_id: str) -> str | None:
    """Return the address of who has a business number."""
    return await session.scalar(select(CounselingUser.email).where(CounselingUser.user_id == user_id))


async def list_person(session: AsyncSession, person: Listed, at: datetime) -> None:
    """Write a person's line of the list; a visitor that was chosen for him stays where the line names none."""
    values = {
        "name": person.name,
        "user_id": person.user_id,
        "role": person.role,
        "class_id": person.class_id,
        "assigned_visitor": person.assigned_visitor,
        "assigned_tech_asst": person.assigned_tech_asst,
        "assigned_class_asst": person.assigned_class_asst,
        "incharge_visitor": person.incharge_visitor,
        "student_count": person.student_count,
        "status": person.status,
        "updated_at": at,
    }
    kept = {name: value for name, value in values.items() if name != "assigned_visitor" or value is not None}
    await session.execute(
        insert(WhitelistEmail)
        .values(email=person.email, created_at=at, **values)
        .on_conflict_do_update(index_elements=["email"], set_=kept)
    )


async def save_user(session: AsyncSession, person: Listed, at: datetime) -> tuple[UUID, bool]:
    """Make or change a person (E077); returns his id and whether he is new."""
    values = {
        "name": person.name,
        "user_id": person.user_id,
        "role": person.role,
        "class_id": person.class_id,
        "status": person.status,
    }
    known = await session.scalar(
        update(CounselingUser)
        .where(CounselingUser.email == person.email)
        .values(updated_at=at, **values)
        .returning(CounselingUser.auth_user_id)
    )
    if known is not None:
        return known, False
    user = User()
    session.add(user)
    await session.flush()
    await session.execute(
        insert(CounselingUser).values(auth_user_id=user.id, email=person.email, created_at=at, updated_at=at, **values)
    )
    return user.id, True


async def has_instance(session: AsyncSession, student_id: UUID) -> bool:
    """Tell whether a student has a visitor."""
    statement = select(VisitorInstance.id).where(VisitorInstance.owner_id == student_id).limit(1)
    return await session.scalar(statement) is not None


async def make_instance(session: AsyncSession, student_id: UUID, email: str, template: str, at: datetime) -> None:
    """Give a student a visitor, and write down which (W40)."""
    await session.execute(insert(VisitorInstance).values(owner_id=student_id, template_key=template, created_at=at))
    await session.execute(update(WhitelistEmail).where(WhitelistEmail.email == email).values(assigned_visitor=template))


async def assistant(session: AsyncSession, named: str) -> UUID | None:
    """Find a technical assistant by address or business number."""
    statement = select(CounselingUser.auth_user_id).where(
        or_(CounselingUser.email == named, CounselingUser.user_id == named), CounselingUser.role == "assistant_tech"
    )
    return (await session.scalars(statement.limit(1))).first()


async def bind(session: AsyncSession, student_id: UUID, assistant_id: UUID, at: datetime) -> bool:
    """Bind a student, with his first visitor, to his one assistant (E079); False when that is so already."""
    instance = (
        select(VisitorInstance.id)
        .where(VisitorInstance.owner_id == student_id)
        .order_by(VisitorInstance.created_at, VisitorInstance.id)
        .limit(1)
        .scalar_subquery()
    )
    written = insert(AssistantStudent).values(
        student_id=student_id, assistant_id=assistant_id, visitor_instance_id=instance, created_at=at
    )
    bound = await session.execute(
        written.on_conflict_do_update(
            index_elements=["student_id"],
            set_={"assistant_id": assistant_id, "created_at": at},
            where=AssistantStudent.assistant_id != assistant_id,
        ).returning(AssistantStudent.student_id)
    )
    return bound.first() is not None
