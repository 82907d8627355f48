"""Who may call: the spine of all families' users (K16), and the keys of machine clients."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class User(Base):
    """One principal; `sub` of every token and the owner of every row."""

    __tablename__ = "users"
    __table_args__ = {"schema": "auth"}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    is_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A machine client's key: only its SHA-256 is stored, the key itself has 256 random bits."""

    __tablename__ = "api_keys"
    __table_args__ = {"schema": "auth"}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Text)
    key_sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
