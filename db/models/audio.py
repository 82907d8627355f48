"""Audio strategy (seed 000), schema `audio`: who logs in by phone (K16, K17). Recordings: see `recordings`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_NEW_ID = text("gen_random_uuid()")


class PhoneUser(Base):
    """Who logs in by phone (A045); `auth_user_id` is the principal that owns rows everywhere."""

    __tablename__ = "users"
    __table_args__ = {"schema": "audio"}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    auth_user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), unique=True)
    phone: Mapped[str] = mapped_column(String(11), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))


class VerificationCode(Base):
    """A login code (A051): `code` is its HMAC, five wrong tries burn it (G13)."""

    __tablename__ = "verification_codes"
    __table_args__ = (
        Index("verification_codes_created", "created_at"),
        Index("verification_codes_phone_created", "phone", text("created_at DESC")),
        {"schema": "audio"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    phone: Mapped[str] = mapped_column(String(11))
    code: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime]
    used: Mapped[bool] = mapped_column(server_default=text("false"))
    wrong_tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    created_at: Mapped[datetime]
