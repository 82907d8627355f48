"""One database URL, in the forms that psycopg and SQLAlchemy want."""

from typing import Final

from core.settings import SettingsError

# LangGraph and procrastinate name their tables without a schema; every other statement names its schema.
SEARCH_PATH: Final = "public,checkpoints,jobs"
_SCHEMES: Final = ("postgresql+psycopg://", "postgresql://", "postgres://")


def for_psycopg(url: str) -> str:
    """Return `url` with the scheme that libpq knows.

    Raises:
        SettingsError: the URL is not PostgreSQL's.
    """
    for scheme in _SCHEMES:
        if url.startswith(scheme):
            return "postgresql://" + url.removeprefix(scheme)
    raise SettingsError("DATABASE_URL must begin with postgresql://")


def for_sqlalchemy(url: str) -> str:
    """Return `url` with the scheme that makes SQLAlchemy use psycopg 3."""
    return "postgresql+psycopg://" + for_psycopg(url).removeprefix("postgresql://")


def search_path_option(search_path: str = SEARCH_PATH) -> str:
    """Return libpq's `options` value that sets the search path of a connection."""
    return f"-c search_path={search_path}"
