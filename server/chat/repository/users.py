"""SQL of who the frontend's users are. It works before there is a user, so it goes through the entry points."""

from datetime import datetime
from uuid import UUID

from db.database import Pool


async def find_owner(pool: Pool, user_id: str) -> UUID | None:
    """Return the principal behind a frontend's user; None for one never seen."""
    return await _one(pool, b"SELECT chat.find_owner(%s) AS owner", user_id)


async def make_owner(pool: Pool, user_id: str, at: datetime) -> UUID:
    """Return the principal behind a frontend's user, made if it is new."""
    owner = await _one(pool, b"SELECT chat.make_owner(%s, %s) AS owner", user_id, at)
    assert owner is not None  # noqa: S101 - the function makes one
    return owner


async def owner_of_session(pool: Pool, session_id: UUID) -> UUID | None:
    """Return whose a session is, if its owner has no login: then its id alone is the capability (K20)."""
    return await _one(pool, b"SELECT chat.owner_of_session(%s) AS owner", session_id)


async def _one(pool: Pool, statement: bytes, *parameters: object) -> UUID | None:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, parameters)
        row = await cursor.fetchone()
    return row["owner"] if row else None
