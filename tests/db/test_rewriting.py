"""Rewriting a table's values beside what works on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL

from db import rewriting
from db.database import Database, Pool
from db.rewriting import Count, Row, Values, rewrite

VALUES = Values("public.things", ("part", "number"), ("kind", "value"), SQL("kind <> %s"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    await made.open()
    async with made.pool.connection() as connection:
        await connection.execute(
            "CREATE TABLE public.things (part text, number int, kind text, value text, PRIMARY KEY (part, number))"
        )
        await connection.execute(
            "INSERT INTO public.things SELECT 'p' || n % 3, n, 'old', n::text FROM generate_series(1, 25) AS n"
        )
    yield made
    async with made.pool.connection() as connection:
        await connection.execute("DROP TABLE public.things")
    await made.close()


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "_BATCH", 4)


async def values(database: Database) -> dict[int, tuple[str, str]]:
    async with database.pool.connection() as connection:
        rows = await (await connection.execute("SELECT number, kind, value FROM public.things")).fetchall()
    return {row["number"]: (row["kind"], row["value"]) for row in rows}


def doubled(key: Row, old: Row) -> Row:
    assert str(key[1]) == old[1]
    return ["new", old[1] * 2]


async def test_each_row_is_rewritten_once(database: Database) -> None:
    assert await rewrite(database.pool, VALUES, "new", doubled) == Count(rewritten=25, failed=0)
    assert await values(database) == {number: ("new", str(number) * 2) for number in range(1, 26)}
    assert await rewrite(database.pool, VALUES, "new", doubled) == Count()


async def test_what_cannot_be_rewritten_stays_and_is_counted_once(database: Database) -> None:
    def some(key: Row, old: Row) -> Row | None:
        return None if key[1] in (1, 7, 25) else doubled(key, old)

    assert await rewrite(database.pool, VALUES, "new", some) == Count(rewritten=22, failed=3)
    left = {number for number, (kind, _) in (await values(database)).items() if kind == "old"}
    assert left == {1, 7, 25}


async def test_what_is_stopped_goes_on(database: Database) -> None:
    seen: list[int] = []

    def until_the_tenth(key: Row, old: Row) -> Row:
        seen.append(key[1])
        if len(seen) == 10:
            raise KeyboardInterrupt
        return doubled(key, old)

    with pytest.raises(KeyboardInterrupt):
        await rewrite(database.pool, VALUES, "new", until_the_tenth)
    assert sum(kind == "new" for kind, _ in (await values(database)).values()) == 8
    assert await rewrite(database.pool, VALUES, "new", doubled) == Count(rewritten=17)


async def test_what_changes_meanwhile_is_kept(database: Database) -> None:
    class Between:
        """The pool; before the second statement, the first one that writes, somebody else is faster."""

        asked = 0

        def connection(self) -> Any:
            self.asked += 1
            return self.faster() if self.asked == 2 else database.pool.connection()

        @asynccontextmanager
        async def faster(self) -> AsyncIterator[AsyncConnection[DictRow]]:
            async with database.pool.connection() as connection:
                await connection.execute("UPDATE public.things SET value = 'theirs' WHERE number = 3")
                yield connection

    assert await rewrite(cast(Pool, Between()), VALUES, "new", doubled) == Count(rewritten=24)
    assert (await values(database))[3] == ("old", "theirs")
