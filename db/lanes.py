"""Group commit: small statements of many callers go to PostgreSQL in few transactions.

Each lane has a connection of its own and sends what waits, up to 64 statements, in one pipeline and one commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from db.lane import Lane
from db.url import for_psycopg
from db.waiting import Waiting
from db.wire import Row

# One takes most statements into one commit; more of them had more commits and no more runs a second (bench/engine).
_LANES: Final = 1


class Lanes:
    """Commits statements in the order of their key's lane; each gives one row.

    A statement whose commit was not heard of (the connection broke) is sent again: it has to be one that may be.
    """

    def __init__(self, url: str, *, count: int = _LANES) -> None:
        self._lanes = [Lane(for_psycopg(url), number) for number in range(count)]

    def start(self) -> None:
        """Begin to commit; connections are made when there is something."""
        for lane in self._lanes:
            lane.start()

    async def stop(self) -> None:
        """Commit what waits, as far as the database answers at once, and close."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes))

    def submit(
        self,
        key: UUID,
        statement: LiteralString,
        parameters: Sequence[Any],
        executed: Callable[[Row], None] | None = None,
        after: "asyncio.Future[Row] | None" = None,
    ) -> "asyncio.Future[Row]":
        """Return the row that `statement` will give, once it is committed.

        Args:
            key: statements of one key are committed in their order.
            statement: gives one row.
            parameters: the statement's.
            executed: may be called with the row before it is committed: what waits only for the disk may go on.
                Where the commit is lost, the statement is executed again, and its row may be another one then.
            after: an earlier one's, of this key: where that has failed, this one fails too.

        Raises (the future):
            psycopg.Error: the statement failed; its neighbours did not.
        """
        order = Waiting(key, statement, parameters, executed, after)
        self._lane(key).add(order)
        return order.answer

    def is_calm(self, key: UUID) -> bool:
        """Tell whether a statement of this key would be sent at once, and nobody else's waits."""
        return self._lane(key).is_calm

    def _lane(self, key: UUID) -> Lane:
        return self._lanes[key.int % len(self._lanes)]
