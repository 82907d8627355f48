"""Rewrites a table's values row by row, beside what works on it: in small transactions, and never over a change."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composable, Composed, Identifier

from db.database import Pool

_BATCH: Final = 200
Row = Sequence[Any]


@dataclass(frozen=True)
class Values:
    """Which columns of a table are rewritten, in which rows.

    `wanted` is the condition of those that still have to be, with one parameter; `key` is the primary key.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    wanted: Composable

    @property
    def name(self) -> str:
        """What reports call them."""
        return f"{self.table}.{self.columns[-1]}"


@dataclass
class Count:
    """How many rows were rewritten, and how many could not be."""

    rewritten: int = 0
    failed: int = 0


async def rewrite(pool: Pool, values: Values, parameter: str, renewed: Callable[[Row, Row], Row | None]) -> Count:
    """Rewrite all rows that have to be. One that is stopped has done a part; the next one does the rest.

    Args:
        pool: of a role that sees all rows.
        values: which ones.
        parameter: of their condition.
        renewed: returns the new values of a row from its key and the old ones; None where it cannot.
    """
    count = Count()
    width, last = len(values.key), ()
    while rows := await _batch(pool, values, parameter, last):
        changes = []
        for row in rows:
            key, old = row[:width], row[width:]
            new = renewed(key, old)
            if new is None:
                count.failed += 1
            else:
                changes.append((*new, *key, *old))
        count.rewritten += await _write(pool, values, changes)
        last = tuple(rows[-1][:width])
    return count


async def _batch(pool: Pool, values: Values, parameter: str, after: Row) -> list[Any]:
    """Read the next rows in the key's order, so that one that cannot be rewritten is met once."""
    key = _list(values.key)
    later = SQL(" AND ({}) > ({})").format(key, SQL(", ").join([SQL("%s")] * len(after))) if after else SQL("")
    statement = SQL("SELECT {}, {} FROM {} WHERE {}{} ORDER BY {} LIMIT {}").format(
        key, _list(values.columns), _table(values), values.wanted, later, key, _BATCH
    )
    async with pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(statement, (parameter, *after))
        return await cursor.fetchall()


async def _write(pool: Pool, values: Values, changes: Sequence[Row]) -> int:
    if not changes:
        return 0
    # The old values are part of the condition: what has changed since it was read is newer, and stays.
    statement = SQL("UPDATE {} SET {} WHERE {}").format(
        _table(values), SQL(", ").join(_equal(values.columns)), SQL(" AND ").join(_equal(values.key + values.columns))
    )
    async with pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
        await cursor.executemany(statement, changes)
        return cursor.rowcount


def _table(values: Values) -> Identifier:
    return Identifier(*values.table.split("."))


def _list(names: Iterable[str]) -> Composed:
    return SQL(", ").join(map(Identifier, names))


def _equal(names: Iterable[str]) -> list[Composed]:
    return [SQL("{} = %s").format(Identifier(name)) for name in names]
