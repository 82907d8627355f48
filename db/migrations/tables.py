"""Which tables Alembic looks after."""

from typing import Final

from sqlalchemy import MetaData

from db.models import audio, auth, calls, chat, counseling, counseling_login, interpret, platform, recordings, skills
from db.models.base import Base

# Importing them is what fills the metadata.
_MODELS: Final = (audio, auth, calls, chat, counseling, counseling_login, interpret, platform, recordings, skills)
_SCHEMAS: Final = frozenset({"audio", "auth", "chat", "counseling", "interpret", "platform", "public"})

METADATA: Final[MetaData] = Base.metadata


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell Alembic what to compare: LangGraph's and procrastinate's tables must not be proposed for removal."""
    return kind != "schema" or name in _SCHEMAS
