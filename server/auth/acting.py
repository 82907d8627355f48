"""Statements that see who calls in their own transaction: to ask for it before them would take a round trip more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from db.database import Pool
from server.auth.principal import Realm, no_caller

_KNOWN: Final = b"SELECT set_config('app.user_id', %s::uuid::text, true)"
# No row where there is no such caller (any more): the statements that follow then see nobody's rows.
_SEE: Final[dict[Realm, bytes]] = {
    "key": b"SELECT set_config('app.user_id', i.user_id::text, true) FROM auth.identify_key(%s) AS i",
    "phone": b"SELECT set_config('app.user_id', i.user_id::text, true) FROM auth.identify_phone(%s) AS i",
    "email": b"SELECT set_config('app.user_id', i.user_id::text, true) FROM auth.identify_email(%s) AS i",
}


@dataclass
class Acting:
    """Who calls, as his credentials say; what acts for him has to see that they still count.

    `proof` is a key's digest, or the subject of a token; `is_seen` whether the database knows the caller now.
    """

    user_id: UUID
    realm: Realm
    proof: bytes | UUID
    is_seen: bool = field(default=False)

    def opening(self) -> tuple[bytes, bytes | UUID]:
        """Return the statement that lets his rows be seen, if he still is one, and its parameter."""
        return (_KNOWN, self.user_id) if self.is_seen else (_SEE[self.realm], self.proof)


Asked = tuple[LiteralString, Mapping[str, Any]]


async def answered(pool: Pool, caller: Acting, *asked: Asked) -> list[Sequence[DictRow]]:
    """Run statements as the caller, all in one transaction and one round trip; returns the rows of each.

    Raises:
        Unauthenticated: his credentials count no more; nothing was read or changed.
        psycopg.Error: a statement failed; nothing was changed.
    """
    opening, proof = caller.opening()
    async with pool.connection() as connection:
        # What a pipeline holds is one transaction, without BEGIN and COMMIT: it ends when the pipeline does.
        async with connection.pipeline():
            seen = await connection.execute(opening, (proof,), prepare=True)
            cursors = [await connection.execute(statement, values, prepare=True) for statement, values in asked]
        if await seen.fetchone() is None:
            raise no_caller()
        caller.is_seen = True
        return [await cursor.fetchall() for cursor in cursors]
