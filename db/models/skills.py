"""Audio strategy (seed 000), schema `audio`: skills, and profiles of people (A049, A052)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Double, ForeignKey, ForeignKeyConstraint, Index, Integer, String, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_NEW_ID = text("gen_random_uuid()")
_EMPTY = text("''")


class SkillRow(Base):
    """A skill as it is used (A049): its file with what was changed since (G04).

    `metadata` holds `keywords`, `references` and `overrides`. `problem` says why it is not used: its file is broken or
    gone. `skill_path` is its file below the directory of skills, made from its id (W06).
    """

    __tablename__ = "skills"
    __table_args__ = {"schema": "audio"}  # noqa: RUF012 - SQLAlchemy's own form

    skill_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text)
    skill_path: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(Integer)
    enabled: Mapped[bool] = mapped_column(Boolean)
    version: Mapped[str] = mapped_column(Text)
    prompt_template: Mapped[str] = mapped_column(Text)
    # `metadata` is SQLAlchemy's own name on a class.
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'::jsonb"))
    problem: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Profile(Base):
    """Somebody whom a user talks with (A052); `photo_path` is the photo's key in storage."""

    __tablename__ = "profiles"
    __table_args__ = (
        ForeignKeyConstraint(
            ("audio_session_id", "user_id"),
            ("audio.sessions.id", "audio.sessions.user_id"),
            name="profiles_session",
            ondelete="SET NULL (audio_session_id)",
        ),
        ForeignKeyConstraint(
            ("audio_segment_id", "user_id"),
            ("audio.audio_segments.id", "audio.audio_segments.user_id"),
            name="profiles_segment",
            ondelete="SET NULL (audio_segment_id)",
        ),
        Index("profiles_user_created", "user_id", text("created_at DESC"), text("id DESC")),
        Index("profiles_session", "audio_session_id", postgresql_where=text("audio_session_id IS NOT NULL")),
        Index("profiles_segment", "audio_segment_id", postgresql_where=text("audio_segment_id IS NOT NULL")),
        {"schema": "audio"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    relationship: Mapped[str] = mapped_column(String(50), server_default=_EMPTY)
    photo_url: Mapped[str | None] = mapped_column(Text)
    notes: Mapped[str] = mapped_column(Text, server_default=_EMPTY)
    audio_session_id: Mapped[UUID | None]
    audio_segment_id: Mapped[UUID | None]
    audio_start_time: Mapped[float | None] = mapped_column(Double)
    audio_end_time: Mapped[float | None] = mapped_column(Double)
    audio_url: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    photo_path: Mapped[str | None] = mapped_column(Text)
