"""Counseling (seed 004), schema `counseling` (E068–E075, K16, K17); who sees a row is its policies' to say (G59)."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_NEW_ID = text("gen_random_uuid()")
_EMPTY_LIST = text("'[]'")
_USER: Final = "auth.users.id"
_NO_MEMORY = func.jsonb_build_object(
    *("thisweek_focus", "无", "discussed_topics", "无", "milestones", "无", "recurring_patterns", "无"),
    *("core_belief_evolution", "无"),
)


def _of_session(name: str) -> ForeignKeyConstraint:
    """What hangs on a session belongs to the same student: foreign keys look past row level security."""
    return ForeignKeyConstraint(
        ["session_id", "student_id"],
        ["counseling.sessions.id", "counseling.sessions.student_id"],
        name=f"{name}_session",
        ondelete="CASCADE",
    )


class CounselingUser(Base):
    """A person (E071); `user_id` is the business number, the internal id is the principal's (G61)."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('student', 'assistant_tech', 'assistant_class', 'admin')", name="users_role_known"),
        Index("users_business_number", "user_id", unique=True, postgresql_where=text("user_id IS NOT NULL")),
        Index("users_class", "class_id", "email", postgresql_where=text("role = 'student'")),
        {"schema": "counseling"},
    )

    auth_user_id: Mapped[UUID] = mapped_column(ForeignKey(_USER, ondelete="CASCADE"), primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text, server_default="")
    user_id: Mapped[str | None] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text, server_default="student")
    class_id: Mapped[int | None]
    status: Mapped[str] = mapped_column(Text, server_default="active")
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class VisitorTemplate(Base):
    """A persona that visitors are made from (G65); the files of `nodes/counseling/visitors` fill it."""

    __tablename__ = "visitor_templates"
    __table_args__ = {"schema": "counseling"}  # noqa: RUF012 - SQLAlchemy's own form

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    brief: Mapped[str] = mapped_column(Text)
    core_persona: Mapped[str] = mapped_column(Text)


class VisitorInstance(Base):
    """A student's own visitor and what it remembers (E069, G53)."""

    __tablename__ = "visitor_instances"
    __table_args__ = (
        UniqueConstraint("id", "owner_id"),
        Index("visitor_instances_owner", "owner_id", "created_at"),
        Index("visitor_instances_template", "template_key"),
        {"schema": "counseling"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey(_USER, ondelete="CASCADE"))
    template_key: Mapped[str] = mapped_column(Text, ForeignKey("counseling.visitor_templates.key"))
    long_term_memory: Mapped[dict[str, Any]] = mapped_column(server_default=_NO_MEMORY)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CounselingSession(Base):
    """A session (E068); numbers are without gaps in an instance (G48), the threads are its runs' (K17)."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("id", "student_id"),
        UniqueConstraint("visitor_instance_id", "student_id", "session_number", name="sessions_number"),
        CheckConstraint("session_number > 0", name="sessions_number_positive"),
        ForeignKeyConstraint(
            ["visitor_instance_id", "student_id"],
            ["counseling.visitor_instances.id", "counseling.visitor_instances.owner_id"],
            name="sessions_instance",
            ondelete="CASCADE",
        ),
        Index("sessions_student_created", "student_id", "created_at"),
        Index("sessions_created", "created_at"),
        Index(
            "sessions_finalize_thread",
            "finalize_thread_id",
            unique=True,
            postgresql_where=text("finalize_thread_id IS NOT NULL"),
        ),
        Index(
            "sessions_reply_thread",
            "reply_thread_id",
            unique=True,
            postgresql_where=text("reply_thread_id IS NOT NULL"),
        ),
        {"schema": "counseling"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    visitor_instance_id: Mapped[UUID]
    student_id: Mapped[UUID]
    session_number: Mapped[int]
    chat_history: Mapped[list[dict[str, Any]]] = mapped_column(server_default=_EMPTY_LIST)
    session_diary: Mapped[str | None] = mapped_column(Text)
    pre_session_activity: Mapped[dict[str, Any] | None]
    homework: Mapped[list[dict[str, Any]]] = mapped_column(server_default=_EMPTY_LIST)
    fallbacks: Mapped[list[str]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    remaking: Mapped[bool] = mapped_column(server_default=text("false"))
    finalize_thread_id: Mapped[UUID | None]
    reply_thread_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finalized_at: Mapped[datetime | None]


class MemoryVersion(Base):
    """What a visitor remembered after a session (E070): one version a session (G50)."""

    __tablename__ = "long_term_memory_versions"
    __table_args__ = (
        UniqueConstraint("session_id", "student_id", name="long_term_memory_versions_of"),
        _of_session("long_term_memory_versions"),
        Index("long_term_memory_versions_student", "student_id", "id"),
        {"schema": "counseling"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    session_id: Mapped[UUID]
    student_id: Mapped[UUID]
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ThoughtRecord(Base):
    """What a student hands in after a session (E033, E035)."""

    __tablename__ = "thought_records"
    __table_args__ = (
        _of_session("thought_records"),
        Index("thought_records_session_created", "session_id", "created_at"),
        {"schema": "counseling"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    session_id: Mapped[UUID]
    student_id: Mapped[UUID]
    triggering_event: Mapped[str] = mapped_column(Text)
    thoughts_and_beliefs: Mapped[str] = mapped_column(Text)
    consequences: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Question(Base):
    """A student's question, open or answered (E036)."""

    __tablename__ = "questions"
    __table_args__ = (
        _of_session("questions"),
        CheckConstraint("status IN ('open', 'answered')", name="questions_status_known"),
        Index("questions_session_created", "session_id", "created_at"),
        Index("questions_answered_by", "answered_by", postgresql_where=text("answered_by IS NOT NULL")),
        {"schema": "counseling"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    session_id: Mapped[UUID]
    student_id: Mapped[UUID]
    content: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="open")
    answer: Mapped[str | None] = mapped_column(Text)
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey(_USER, ondelete="SET NULL"))
    answered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AssistantFeedback(Base):
    """What an assistant says of a session (E038); it stays when the assistant leaves."""

    __tablename__ = "assistant_feedback"
    __table_args__ = (
        _of_session("assistant_feedback"),
        Index("assistant_feedback_session_created", "session_id", "created_at"),
        Index("assistant_feedback_assistant", "assistant_id"),
        {"schema": "counseling"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    session_id: Mapped[UUID]
    student_id: Mapped[UUID]
    assistant_id: Mapped[UUID | None] = mapped_column(ForeignKey(_USER, ondelete="SET NULL"))
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AssistantStudent(Base):
    """A student's one technical assistant (E073, W37)."""

    __tablename__ = "assistant_students"
    __table_args__ = (
        ForeignKeyConstraint(
            ["visitor_instance_id", "student_id"],
            ["counseling.visitor_instances.id", "counseling.visitor_instances.owner_id"],
            name="assistant_students_instance",
            ondelete="CASCADE",
        ),
        Index("assistant_students_assistant", "assistant_id"),
        {"schema": "counseling"},
    )

    student_id: Mapped[UUID] = mapped_column(ForeignKey(_USER, ondelete="CASCADE"), primary_key=True)
    assistant_id: Mapped[UUID] = mapped_column(ForeignKey(_USER, ondelete="CASCADE"))
    visitor_instance_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WeeklyCompliance(Base):
    """A week of a student in flags (E074, G55)."""

    __tablename__ = "weekly_compliance"
    __table_args__ = (
        Index("weekly_compliance_class", "week_key", "class_id"),
        Index("weekly_compliance_student", "student_id"),
        Index("weekly_compliance_assistant", "assistant_id"),
        {"schema": "counseling"},
    )

    week_key: Mapped[str] = mapped_column(Text, primary_key=True)
    student_id: Mapped[UUID] = mapped_column(ForeignKey(_USER, ondelete="CASCADE"), primary_key=True)
    class_id: Mapped[int | None]
    assistant_id: Mapped[UUID | None] = mapped_column(ForeignKey(_USER, ondelete="SET NULL"))
    has_session: Mapped[int] = mapped_column(SmallInteger)
    has_thought_record_by_fri: Mapped[int] = mapped_column(SmallInteger)
    has_any_feedback_by_sun: Mapped[int] = mapped_column(SmallInteger)
    locked: Mapped[int] = mapped_column(SmallInteger)
    computed_at: Mapped[datetime]
