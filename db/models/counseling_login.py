"""Counseling (seed 004), schema `counseling`: who may log in by e-mail, and the codes for it (E072, E075)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, SmallInteger, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base

_NEW_ID = text("gen_random_uuid()")


class WhitelistEmail(Base):
    """A line of the imported list (E072, E076): who may log in."""

    __tablename__ = "whitelist_emails"
    __table_args__ = {"schema": "counseling"}  # noqa: RUF012 - SQLAlchemy's own form

    email: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, server_default="")
    user_id: Mapped[str | None] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    class_id: Mapped[int | None]
    assigned_visitor: Mapped[str | None] = mapped_column(Text)
    assigned_tech_asst: Mapped[str | None] = mapped_column(Text)
    assigned_class_asst: Mapped[str | None] = mapped_column(Text)
    incharge_visitor: Mapped[list[str] | None] = mapped_column(JSONB)
    student_count: Mapped[int | None]
    status: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EmailCode(Base):
    """A login code (E075): `code` is its HMAC, five wrong tries burn it (G13)."""

    __tablename__ = "email_codes"
    __table_args__ = (
        Index("email_codes_created", "created_at"),
        Index("email_codes_email_created", "email", text("created_at DESC")),
        {"schema": "counseling"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    email: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime]
    used: Mapped[bool] = mapped_column(server_default=text("false"))
    wrong_tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    created_at: Mapped[datetime]
