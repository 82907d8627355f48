"""Deep chat (seed 003), schema `chat`: users by the frontend's name, sessions, messages, documents (D006, G36–G39)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_OWNER = "auth.users.id"
_EMPTY = text("'{}'::jsonb")
_NEW_ID = text("gen_random_uuid()")


class FrontendUser(Base):
    """Who calls without a login (K20): the name that the frontend gives, and the principal that owns the rows."""

    __tablename__ = "users"
    __table_args__ = {"schema": "chat"}  # noqa: RUF012 - SQLAlchemy's own form

    owner_id: Mapped[UUID] = mapped_column(ForeignKey(_OWNER, ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ChatSession(Base):
    """One conversation: its thread (G38), memory (G36) and time to live (G37), and whether it is being answered (G42).

    `leased_until` is in the database's own time: a process that answers renews it, one that died lets it pass.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("id", "owner_id", name="sessions_id_owner"),
        Index("sessions_owner_updated", "owner_id", text("updated_at DESC"), text("id DESC")),
        Index("sessions_expires", "expires_at", "id"),
        {"schema": "chat"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey(_OWNER, ondelete="CASCADE"))
    thread_id: Mapped[UUID] = mapped_column(unique=True)
    memory: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=_EMPTY)
    ttl_seconds: Mapped[int] = mapped_column(Integer, server_default=text("3600"))
    expires_at: Mapped[datetime]
    leased_by: Mapped[UUID | None]
    leased_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]


class ChatMessage(Base):
    """One message of a session, numbered without gaps; a turn is the user's message and the answer to it.

    `answer` is what a deep answer holds beside its text; `saved_turn` the workflow's own id of the turn, under which it
    saves once. A draft is an answer that waits to be revised or not (G34). `request_key` is the client's
    Idempotency-Key of the message.
    """

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'assistant')", name="messages_role_known"),
        CheckConstraint("mode IN ('chat', 'deep')", name="messages_mode_known"),
        # The owner in the keys of what hangs on a session: else they would tell what others have.
        UniqueConstraint("session_id", "owner_id", "number", name="messages_number"),
        UniqueConstraint("session_id", "owner_id", "turn_id", "role", name="messages_turn"),
        ForeignKeyConstraint(
            ["session_id", "owner_id"],
            ["chat.sessions.id", "chat.sessions.owner_id"],
            name="messages_session",
            ondelete="CASCADE",
        ),
        Index(
            "messages_request_key",
            "owner_id",
            "request_key",
            unique=True,
            postgresql_where=text("request_key IS NOT NULL"),
        ),
        {"schema": "chat"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    owner_id: Mapped[UUID]
    session_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(Integer)
    turn_id: Mapped[UUID]
    role: Mapped[str] = mapped_column(Text, server_default="user")
    mode: Mapped[str] = mapped_column(Text, server_default="chat")
    content: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    is_draft: Mapped[bool] = mapped_column(server_default=text("false"))
    saved_turn: Mapped[str | None] = mapped_column(Text)
    request_key: Mapped[str | None] = mapped_column(Text)
    request_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Document(Base):
    """A document of a session (D032); its text is in the chunks."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("id", "owner_id", name="documents_id_owner"),
        ForeignKeyConstraint(
            ["session_id", "owner_id"],
            ["chat.sessions.id", "chat.sessions.owner_id"],
            name="documents_session",
            ondelete="CASCADE",
        ),
        Index("documents_session_created", "session_id", "created_at", "id"),
        {"schema": "chat"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    session_id: Mapped[UUID]
    filename: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    characters: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DocumentChunk(Base):
    """A piece of a document's text (G39); `position` counts from 1, `tokens` is what it is found by."""

    __tablename__ = "document_chunks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["document_id", "owner_id"],
            ["chat.documents.id", "chat.documents.owner_id"],
            name="document_chunks_document",
            ondelete="CASCADE",
        ),
        Index("document_chunks_session", "session_id"),
        Index("document_chunks_tokens", "tokens", postgresql_using="gin"),
        {"schema": "chat"},
    )

    document_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    session_id: Mapped[UUID]
    text: Mapped[str] = mapped_column(Text)
    tokens: Mapped[Any] = mapped_column(TSVECTOR)
