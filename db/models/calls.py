"""Voice calls (seed 002). The tables stand in schema `public`, as the seed's DDL says (K17)."""

import enum
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Enum, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_NEW_ID = text("gen_random_uuid()")


class HangupReason(enum.StrEnum):
    """Why a call ended (C001)."""

    user = "user"
    ai = "ai"
    timeout = "timeout"
    silence = "silence"
    error = "error"


class Agent(Base):
    """A voice agent that takes calls; without a user it is shared by all (G23)."""

    __tablename__ = "agents"
    __table_args__ = (Index("idx_agents_user_id", "user_id"), {"schema": "public"})

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(50), server_default="voice")
    system_prompt: Mapped[str | None] = mapped_column(Text)
    greeting: Mapped[str | None] = mapped_column(Text)
    config: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CallRecord(Base):
    """One voice call (C002–C006). `summary_thread_id` is ours: the engine's thread of its summaries (K17)."""

    __tablename__ = "call_records"
    __table_args__ = (
        Index("idx_call_records_user_id", "user_id"),
        Index("idx_call_records_agent_id", "agent_id"),
        Index("idx_call_records_start_time", text("start_time DESC")),
        # The lists: W24; the id makes the order of equal start times stable from page to page.
        Index("idx_call_records_user_start", "user_id", text("start_time DESC"), text("id DESC")),
        Index("idx_call_records_user_agent_start", "user_id", "agent_id", text("start_time DESC"), text("id DESC")),
        # The statistics read nothing else of a call.
        Index(
            "idx_call_records_statistics",
            "user_id",
            "start_time",
            postgresql_include=["hangup_reason", "duration_seconds", "caller_app", "agent_id"],
            postgresql_where=text("hangup_reason IS NOT NULL"),
        ),
        Index(
            "idx_call_records_summary_thread",
            "summary_thread_id",
            postgresql_where=text("summary_thread_id IS NOT NULL"),
        ),
        {"schema": "public"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("public.agents.id"))
    caller_name: Mapped[str | None] = mapped_column(String(255))
    caller_phone: Mapped[str | None] = mapped_column(String(50))
    caller_app: Mapped[str | None] = mapped_column(String(50))
    start_time: Mapped[datetime]
    end_time: Mapped[datetime | None]
    duration_seconds: Mapped[int | None] = mapped_column(Integer)
    hangup_reason: Mapped[HangupReason | None] = mapped_column(
        Enum(HangupReason, name="call_hangup_reason", schema="public", create_type=False)
    )
    messages: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    summary: Mapped[str | None] = mapped_column(Text)
    # `metadata` is the declarative base's own attribute.
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    summary_thread_id: Mapped[UUID | None]


class CallAnswerRule(Base):
    """Which calls are answered, and how (C040); the matching is the client's, or `evaluate`'s."""

    __tablename__ = "call_answer_rules"
    __table_args__ = (
        Index("idx_call_answer_rules_user_id", "user_id"),
        Index("idx_call_answer_rules_priority", "priority"),
        # The list: a user's rules in the order in which they are tried (G32).
        Index("idx_call_answer_rules_user_order", "user_id", "priority", "created_at", "id"),
        {"schema": "public"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    priority: Mapped[int] = mapped_column(Integer)
    conditions: Mapped[dict[str, Any]] = mapped_column(JSONB)
    action: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AliyunConfig(Base):
    """A user's access to Alibaba's speech services (C027), and the token that was got with it (C036).

    `access_key_secret` and `token` are encrypted (C028, X032). One row a user is active (W17). `fetch_id` is the
    one that asks for a token now, until `fetch_until` at most; `fetches` counts those that have ended, `fetch_failure`
    says how the last one failed.
    """

    __tablename__ = "aliyun_configs"
    __table_args__ = (
        Index("idx_aliyun_configs_user_id", "user_id"),
        Index("aliyun_configs_one_active", "user_id", unique=True, postgresql_where=text("is_active")),
        {"schema": "public"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    access_key_id: Mapped[str] = mapped_column(String(255))
    access_key_secret: Mapped[str] = mapped_column(Text)
    app_key: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    token: Mapped[str | None] = mapped_column(Text)
    token_issued_at: Mapped[datetime | None]
    token_expires_at: Mapped[datetime | None]
    fetch_id: Mapped[UUID | None]
    fetch_until: Mapped[datetime | None]
    fetch_failure: Mapped[str | None] = mapped_column(Text)
    fetches: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
