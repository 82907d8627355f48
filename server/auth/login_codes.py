"""SQL of login codes, through the entry points that each kind of login has in its own schema."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Identifier

from db.database import Pool
from server.auth import codes

_ISSUE: Final = SQL("SELECT * FROM {}.issue_code(%s, %s, %s, %s, %s, %s)")
_WITHDRAW: Final = SQL("SELECT {}.withdraw_code(%s)")
_SIGN_IN: Final = SQL("SELECT * FROM {}.sign_in(%s, %s, %s, %s)")


class LoginCodes:
    """The codes of one kind of login; `whose` is an address of that kind."""

    def __init__(self, schema: Literal["audio", "counseling"]) -> None:
        self._issue, self._withdraw, self._sign_in = (
            statement.format(Identifier(schema)) for statement in (_ISSUE, _WITHDRAW, _SIGN_IN)
        )

    async def issue(self, pool: Pool, whose: str, hashed: str, at: datetime) -> DictRow:
        """Keep a new code, unless the address has had one too recently, or too many today."""
        return await _row(pool, self._issue, (whose, hashed, at, at + codes.LIFETIME, codes.GAP, codes.MOST_A_DAY))

    async def withdraw(self, pool: Pool, code_id: UUID) -> None:
        """Forget a code that could not be sent."""
        await _row(pool, self._withdraw, (code_id,))

    async def sign_in(self, pool: Pool, whose: str, hashed: str, at: datetime) -> DictRow:
        """Use a code up; counts a wrong try."""
        return await _row(pool, self._sign_in, (whose, hashed, at, codes.MOST_TRIES))


async def _row(pool: Pool, statement: Composed, parameters: tuple[Any, ...]) -> DictRow:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchone() or {}
