"""Interpret and execute (seed 001), schema `interpret` (K16, K17)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_NEW_ID = text("gen_random_uuid()")


class InterpretUser(Base):
    """A user of this family (B016); `username` is the phone or e-mail, else the principal's id (G22)."""

    __tablename__ = "users"
    __table_args__ = {"schema": "interpret"}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    contacts: Mapped[dict[str, Any] | None]
    wallets: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    auth_user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), unique=True)


class InterpretSession(Base):
    """A session (B018, G22): `session_id` is the client's own, unique within its user (K21); one thread each (K17)."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("user_id", "session_id"),
        UniqueConstraint("id", "user_id"),
        CheckConstraint(
            "status IN ('interpreting', 'awaiting_confirm', 'executing', 'done', 'failed')",
            name="sessions_status_known",
        ),
        {"schema": "interpret"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    session_id: Mapped[str] = mapped_column(String(128))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    thread_id: Mapped[UUID] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(Text, server_default="interpreting")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class InterpretLog(Base):
    """One step of a session (B019); `key` makes a step that is made again write no second row."""

    __tablename__ = "logs"
    __table_args__ = (
        UniqueConstraint("session_id", "key"),
        ForeignKeyConstraint(
            ["session_id", "user_id"],
            ["interpret.sessions.id", "interpret.sessions.user_id"],
            name="logs_session",
            ondelete="CASCADE",
        ),
        CheckConstraint("status IN ('success', 'failed')", name="logs_status_known"),
        Index("logs_session_order", "session_id", "id"),
        {"schema": "interpret"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    session_id: Mapped[UUID]
    user_id: Mapped[UUID]
    key: Mapped[str] = mapped_column(Text)
    step: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="success")
    message: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MirroredTool(Base):
    """A tool that a server has offered (G19); nobody is offered one that is not `enabled`."""

    __tablename__ = "tools"
    __table_args__ = (
        Index("tools_disabled", "name", postgresql_where=text("NOT enabled")),
        {"schema": "interpret"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    description: Mapped[str] = mapped_column(Text)
    input_schema: Mapped[dict[str, Any]]
    server: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ToolCall(Base):
    """A tool call, journaled before it is sent; of its arguments only the SHA-256 is kept (issue 5)."""

    __tablename__ = "tool_calls"
    __table_args__ = (
        ForeignKeyConstraint(
            ["thread_id", "user_id"],
            ["platform.threads.id", "platform.threads.owner_id"],
            name="tool_calls_thread",
            ondelete="CASCADE",
        ),
        CheckConstraint("state IN ('sent', 'done')", name="tool_calls_state_known"),
        CheckConstraint("pg_column_size(outcome) <= 4194304", name="tool_calls_outcome_bounded"),
        Index("tool_calls_thread_order", "thread_id", "created_at"),
        Index("tool_calls_created", "created_at"),
        {"schema": "interpret"},
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    thread_id: Mapped[UUID]
    step: Mapped[str] = mapped_column(Text)
    tool: Mapped[str] = mapped_column(Text)
    server: Mapped[str] = mapped_column(Text)
    arguments_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text, server_default="sent")
    outcome: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
