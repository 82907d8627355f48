"""Audio strategy (seed 000), schema `audio`: recordings and what was made of them (A046–A048, A050, G09)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_NEW_ID = text("gen_random_uuid()")
_EMPTY = text("'{}'::jsonb")
_NONE = text("'[]'::jsonb")
_ZERO = text("0")
# A session with its owner: what hangs on it belongs to the same one.
_SESSION = ("audio.sessions.id", "audio.sessions.user_id")


class AudioTask(Base):
    """A recording, and how far its analysis and its strategy are (A046, K17).

    `audio_path` is the recording's key in storage, `duration` its decoded length in seconds. `status` is what is known
    for good, and may lag behind the run that makes it so: see `server.audio.repository.sessions`. Columns from
    `media_type` on are ours: `…_steps` holds each finished step with the second (epoch) of its end, `…_asked_at` when a
    run of the thread was last asked for, `analysis_seconds` how long the analysis took; `peaks` is the waveform once
    it was asked for; `request_key` is the Idempotency-Key of the upload.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'analyzing', 'completed', 'failed')", name="sessions_status_known"),
        UniqueConstraint("id", "user_id", name="sessions_id_user"),
        Index("sessions_user_created", "user_id", text("created_at DESC"), text("id DESC")),
        Index(
            "sessions_request_key",
            "user_id",
            "request_key",
            unique=True,
            postgresql_where=text("request_key IS NOT NULL"),
        ),
        Index(
            "sessions_unfinished",
            "analysis_asked_at",
            postgresql_where=text("status IN ('pending', 'analyzing')"),
        ),
        {"schema": "audio"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(255))
    start_time: Mapped[datetime | None]
    end_time: Mapped[datetime | None]
    duration: Mapped[float] = mapped_column(Double)
    status: Mapped[str] = mapped_column(Text, server_default="pending")
    error_message: Mapped[str | None] = mapped_column(Text)
    emotion_score: Mapped[float | None] = mapped_column(Double)
    speaker_count: Mapped[int | None] = mapped_column(Integer)
    tags: Mapped[list[str]] = mapped_column(JSONB, server_default=_NONE)
    audio_url: Mapped[str | None] = mapped_column(Text)
    audio_path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    media_type: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    brought_transcript: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    peaks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    analysis_thread_id: Mapped[UUID]
    analysis_asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    analysis_steps: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    analysis_step_count: Mapped[int] = mapped_column(Integer, server_default=_ZERO)
    analysis_seconds: Mapped[float | None] = mapped_column(Double)
    strategy_id: Mapped[UUID | None]
    strategy_thread_id: Mapped[UUID | None]
    strategy_asked_at: Mapped[datetime | None]
    strategy_steps: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    strategy_step_count: Mapped[int] = mapped_column(Integer, server_default=_ZERO)
    request_key: Mapped[str | None] = mapped_column(Text)
    request_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)


class AnalysisResult(Base):
    """What was found in a recording (A047); its keys are those of `nodes.audio_analysis.records.Analysis`."""

    __tablename__ = "analysis_results"
    __table_args__ = (
        UniqueConstraint("session_id", "user_id", name="analysis_results_one"),
        ForeignKeyConstraint(
            ["session_id", "user_id"], [*_SESSION], name="analysis_results_session", ondelete="CASCADE"
        ),
        {"schema": "audio"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    session_id: Mapped[UUID]
    user_id: Mapped[UUID]
    dialogues: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=_NONE)
    risks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=_NONE)
    summary: Mapped[str] = mapped_column(Text, server_default="")
    mood_score: Mapped[float | None] = mapped_column(Double)
    stats: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    transcript: Mapped[str] = mapped_column(Text, server_default="")
    call1_result: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    speaker_mapping: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=_EMPTY)
    conversation_summary: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StrategyAnalysis(Base):
    """The newest strategy of a session (A048, A053); its keys are those of `nodes.audio_strategy.records.Strategy`."""

    __tablename__ = "strategy_analysis"
    __table_args__ = (
        UniqueConstraint("session_id", "user_id", name="strategy_analysis_one"),
        ForeignKeyConstraint(
            ["session_id", "user_id"], [*_SESSION], name="strategy_analysis_session", ondelete="CASCADE"
        ),
        {"schema": "audio"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    session_id: Mapped[UUID]
    user_id: Mapped[UUID]
    strategy_id: Mapped[UUID]
    visual_data: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=_NONE)
    strategies: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=_NONE)
    applied_skills: Mapped[list[str]] = mapped_column(JSONB, server_default=_NONE)
    scene_category: Mapped[str] = mapped_column(Text)
    scene_confidence: Mapped[float] = mapped_column(Double)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AudioSegment(Base):
    """What one person said without a break, or a piece that was cut out: that one has its file in `audio_path` (G09).

    Times are seconds from the recording's beginning.
    """

    __tablename__ = "audio_segments"
    __table_args__ = (
        UniqueConstraint("id", "user_id", name="audio_segments_id_user"),
        ForeignKeyConstraint(["session_id", "user_id"], [*_SESSION], name="audio_segments_session", ondelete="CASCADE"),
        Index("audio_segments_session_start", "session_id", "start_time", "end_time", "id"),
        Index(
            "audio_segments_piece",
            "session_id",
            "start_time",
            "end_time",
            "speaker",
            unique=True,
            postgresql_where=text("audio_path IS NOT NULL"),
        ),
        {"schema": "audio"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    session_id: Mapped[UUID]
    user_id: Mapped[UUID]
    speaker: Mapped[str] = mapped_column(Text)
    start_time: Mapped[float] = mapped_column(Double)
    end_time: Mapped[float] = mapped_column(Double)
    text: Mapped[str] = mapped_column(Text, server_default="")
    audio_url: Mapped[str | None] = mapped_column(Text)
    audio_path: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SkillExecution(Base):
    """One skill that ran for one strategy (A050, A053, A054); when it runs again, how it ended the last time."""

    __tablename__ = "skill_executions"
    __table_args__ = (
        UniqueConstraint("session_id", "user_id", "strategy_id", "skill_id", name="skill_executions_once"),
        ForeignKeyConstraint(
            ["session_id", "user_id"], [*_SESSION], name="skill_executions_session", ondelete="CASCADE"
        ),
        Index("skill_executions_skill_created", "skill_id", text("created_at DESC")),
        Index("skill_executions_user_skill", "user_id", "skill_id", text("created_at DESC")),
        {"schema": "audio"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    session_id: Mapped[UUID]
    user_id: Mapped[UUID]
    strategy_id: Mapped[UUID]
    skill_id: Mapped[str] = mapped_column(Text)
    scene_category: Mapped[str] = mapped_column(Text)
    confidence_score: Mapped[float] = mapped_column(Double)
    execution_time_ms: Mapped[int] = mapped_column(Integer)
    success: Mapped[bool]
    error_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AbandonedFile(Base):
    """A file that nothing refers to, and when it may be deleted: what is being uploaded, and what was let go of.

    Rows that refer to files leave them here when they are deleted (triggers `abandon_…`).
    """

    __tablename__ = "abandoned_files"
    __table_args__ = (Index("abandoned_files_due", "due_at", "key"), {"schema": "audio"})

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[UUID]
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
