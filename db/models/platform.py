"""The run engine's own tables: threads, runs, their events, the processes that execute them, model usage."""

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
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_OWNER = "auth.users.id"
_EMPTY = text("'{}'::jsonb")
_ZERO = text("0")
# A run with its owner: what hangs on it belongs to the same one.
_RUN = ("platform.runs.id", "platform.runs.owner_id")


class Thread(Base):
    """A conversation of one owner with one workflow, which its first run or state update names.

    `fence` rises with each claim of a run on it and each update of its state from outside. `state_values` is its
    newest state as JSON. One that is `ephemeral` was made for a single run, and is deleted some time after it.
    """

    __tablename__ = "threads"
    __table_args__ = (
        CheckConstraint("status IN ('idle', 'busy', 'interrupted', 'error')", name="threads_status_known"),
        UniqueConstraint("id", "owner_id", name="threads_id_owner"),
        Index("threads_owner_updated", "owner_id", text("updated_at DESC")),
        Index("threads_owner_created", "owner_id", text("created_at DESC")),
        Index("threads_owner_state_updated", "owner_id", text("state_updated_at DESC")),
        Index("threads_updated", "updated_at", "id"),
        Index("threads_ephemeral", "updated_at", postgresql_where=text("ephemeral")),
        {"schema": "platform"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey(_OWNER, ondelete="CASCADE"))
    workflow: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="idle")
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=_EMPTY)
    interrupts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    state_values: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    fence: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    ephemeral: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    state_updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Run(Base):
    """One execution of a workflow on a thread. This row is the truth; jobs are only wake-ups."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('scheduled', 'pending', 'running', 'success', 'error', 'interrupted')",
            name="runs_status_known",
        ),
        CheckConstraint("cancel_action IN ('interrupt', 'rollback')", name="runs_cancel_known"),
        UniqueConstraint("id", "owner_id", name="runs_id_owner"),
        ForeignKeyConstraint(
            ["thread_id", "owner_id"],
            ["platform.threads.id", "platform.threads.owner_id"],
            name="runs_thread",
            ondelete="CASCADE",
        ),
        Index("runs_one_running", "thread_id", unique=True, postgresql_where=text("status = 'running'")),
        Index("runs_unfinished", "thread_id", "created_at", postgresql_where=text("status IN ('pending', 'running')")),
        Index("runs_scheduled", "scheduled_at", postgresql_where=text("status = 'scheduled'")),
        Index("runs_finished", "finished_at", "id", postgresql_where=text("finished_at IS NOT NULL")),
        Index("runs_thread_created", "thread_id", text("created_at DESC")),
        {"schema": "platform"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    thread_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    workflow: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="pending")
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    base_checkpoint_id: Mapped[str | None] = mapped_column(Text)
    fence: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    attempt: Mapped[int] = mapped_column(Integer, server_default=_ZERO)
    worker_id: Mapped[UUID | None]
    cancel_action: Mapped[str | None] = mapped_column(Text)
    # What the thread waited for when the run began: a rollback puts it back.
    base_interrupts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    output: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error_status: Mapped[int | None] = mapped_column(Integer)
    error_code: Mapped[str | None] = mapped_column(Text)
    error_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # When it takes its place in the thread's queue; null once it has.
    scheduled_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class RunEvent(Base):
    """One event of a run's stream; its public id is `<fence>-<seq>`, with one writer a fence."""

    __tablename__ = "run_events"
    __table_args__ = (
        ForeignKeyConstraint(["run_id", "owner_id"], [*_RUN], name="run_events_run", ondelete="CASCADE"),
        {"schema": "platform"},
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    fence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    event: Mapped[str] = mapped_column(Text)
    # json, not jsonb: kept as it was written, and cheaper to write.
    data: Mapped[Any] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class IdempotencyKey(Base):
    """A request that may be sent again, and the run that it started; kept for a day."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("idempotency_keys_created", "created_at"),
        Index("idempotency_keys_run_id", "run_id"),
        ForeignKeyConstraint(
            ["run_id", "owner_id"],
            [*_RUN],
            name="idempotency_keys_run",
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
        {"schema": "platform"},
    )

    owner_id: Mapped[UUID] = mapped_column(ForeignKey(_OWNER, ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    run_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Worker(Base):
    """A process that executes runs; one that is not seen for a while is dead, and its runs start again."""

    __tablename__ = "workers"
    __table_args__ = {"schema": "platform"}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[UUID] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Retention(Base):
    """How far a sweep has come that deletes what is old: the last row it is done with, and that row's time."""

    __tablename__ = "retention"
    __table_args__ = {"schema": "platform"}  # noqa: RUF012 - SQLAlchemy's own form

    sweep: Mapped[str] = mapped_column(Text, primary_key=True)
    through: Mapped[datetime]
    through_id: Mapped[UUID]


class Usage(Base):
    """One model call of a run: who, which role, which model, how many tokens, how long (X025)."""

    __tablename__ = "usage"
    __table_args__ = (
        Index("usage_user_created", "user_id", text("created_at DESC")),
        ForeignKeyConstraint(["run_id", "user_id"], [*_RUN], name="usage_run", ondelete="SET NULL (run_id)"),
        Index("usage_run", "run_id"),
        {"schema": "platform"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[UUID | None]
    user_id: Mapped[UUID] = mapped_column(ForeignKey(_OWNER, ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    input_tokens: Mapped[int] = mapped_column(Integer)
    output_tokens: Mapped[int] = mapped_column(Integer)
    latency_ms: Mapped[int] = mapped_column(Integer)
    failed: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
