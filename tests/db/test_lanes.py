"""Group commit: neighbours do not spoil one another, order is kept, who waits for a lock waits alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from unittest.mock import AsyncMock
from uuid import UUID, uuid4

import psycopg
import pytest

from db.batches import Batches
from db.lanes import Lanes
from db.url import for_psycopg

ADD = "INSERT INTO lane_test (key, value) VALUES (%s, %s) RETURNING value"


@pytest.fixture
async def url(database_url: str) -> AsyncIterator[str]:
    made = "CREATE TABLE lane_test (n SERIAL, key UUID, value TEXT UNIQUE)"
    for statement in (made, "DROP TABLE lane_test"):
        async with await psycopg.AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as connection:
            await connection.execute(statement)
        if statement == made:
            yield database_url


@pytest.fixture
async def lanes(url: str) -> AsyncIterator[Lanes]:
    made = Lanes(url)
    made.start()
    yield made
    await made.stop()


async def stored(url: str) -> list[str]:
    async with await psycopg.AsyncConnection.connect(for_psycopg(url)) as connection:
        cursor = await connection.execute("SELECT value FROM lane_test ORDER BY n")
        return [str(row[0]) for row in await cursor.fetchall()]


async def test_each_gets_its_own_answer(lanes: Lanes, url: str) -> None:
    answers = await asyncio.gather(*(lanes.submit(uuid4(), ADD, (uuid4(), str(n))) for n in range(200)))
    assert [answer["value"] for answer in answers] == [str(n) for n in range(200)]
    assert len(await stored(url)) == 200


async def test_one_that_fails_spoils_nothing_for_others(lanes: Lanes, url: str) -> None:
    orders = [lanes.submit(uuid4(), ADD, (uuid4(), str(n // 2))) for n in range(40)]
    done = await asyncio.gather(*orders, return_exceptions=True)
    failures = [one for one in done if isinstance(one, psycopg.errors.UniqueViolation)]
    assert len(failures) == 20
    assert sorted(map(int, await stored(url))) == list(range(20))


async def test_a_keys_statements_keep_their_order(lanes: Lanes, url: str) -> None:
    keys = [uuid4(), uuid4()]
    await asyncio.gather(*(lanes.submit(keys[n % 2], ADD, (keys[n % 2], f"{n:03}")) for n in range(150)))
    found = await stored(url)
    for rest in (0, 1):
        own = [value for value in found if int(value) % 2 == rest]
        assert own == sorted(own)


async def test_who_waits_for_a_lock_waits_alone(lanes: Lanes, url: str) -> None:
    locked, free = UUID(int=1), UUID(int=2)
    update = "UPDATE lane_test SET value = value || %s WHERE key = %s RETURNING value"
    for key in (locked, free):
        await lanes.submit(key, ADD, (key, str(key)[-1]))
    async with await psycopg.AsyncConnection.connect(for_psycopg(url)) as other:
        await other.execute("SELECT FROM lane_test WHERE key = %s FOR UPDATE", (locked,))
        waiting = [lanes.submit(locked, update, (text, locked)) for text in "abc"]
        begun = time.monotonic()
        answers = [await lanes.submit(free, update, (text, free)) for text in "xyz"]
        assert time.monotonic() - begun < 1.5
        assert answers[-1]["value"] == "2xyz"
        assert not any(one.done() for one in waiting)
        await other.rollback()
    assert [(await one)["value"] for one in waiting] == ["1a", "1ab", "1abc"]


async def test_who_fails_at_an_early_word_does_not_end_the_lane(lanes: Lanes) -> None:
    def fail(_row: object) -> None:
        raise RuntimeError

    key = uuid4()
    assert await lanes.submit(key, ADD, (key, "early"), fail) is not None
    assert await lanes.submit(key, "SELECT value FROM lane_test WHERE key = %s", (key,)) == {"value": "early"}


async def test_a_broken_connection_is_replaced(lanes: Lanes, url: str) -> None:
    await lanes.submit(uuid4(), ADD, (uuid4(), "before"))
    async with await psycopg.AsyncConnection.connect(for_psycopg(url), autocommit=True) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await asyncio.gather(*(lanes.submit(uuid4(), ADD, (uuid4(), f"after {n}")) for n in range(3)))
    assert len(await stored(url)) == 4


async def test_what_depends_on_a_failure_fails_too(lanes: Lanes, url: str) -> None:
    key = uuid4()
    await lanes.submit(key, ADD, (key, "taken"))
    first = lanes.submit(key, ADD, (key, "taken"))
    depends = lanes.submit(key, ADD, (key, "depends"), after=first)
    stands_alone = lanes.submit(key, ADD, (key, "alone"))
    for one in (first, depends):
        with pytest.raises(psycopg.errors.UniqueViolation):
            await one
    assert (await stands_alone)["value"] == "alone"
    # Also where it is sent later.
    with pytest.raises(psycopg.errors.UniqueViolation):
        await lanes.submit(key, ADD, (key, "late"), after=first)
    assert await stored(url) == ["taken", "alone"]


async def test_what_depends_on_what_was_given_up_fails_too(
    lanes: Lanes, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.lane._PATIENCE_SECONDS", 1.0)
    found = await lanes.submit(uuid4(), "SELECT pg_backend_pid() AS pid WHERE %s", [True])
    key = uuid4()
    connect = AsyncMock(side_effect=psycopg.OperationalError("it is away"))
    with monkeypatch.context() as away:
        away.setattr("db.lane.Wire.connect", connect)
        async with await psycopg.AsyncConnection.connect(for_psycopg(url), autocommit=True) as other:
            await other.execute("SELECT pg_terminate_backend(%s)", (found["pid"],))
        # While the lane is busy with this one, the others come together.
        given_up = [lanes.submit(uuid4(), ADD, (uuid4(), "another's"))]
        await asyncio.sleep(0.3)
        given_up.append(lanes.submit(key, ADD, (key, "first")))
        await asyncio.sleep(0.6)
        depends = lanes.submit(key, ADD, (key, "depends"), after=given_up[-1])
        for one in given_up:
            with pytest.raises(psycopg.OperationalError):
                await one
    with pytest.raises(psycopg.OperationalError):
        await depends
    assert not await stored(url)


async def test_what_is_told_early_is_told_in_nobodys_context(lanes: Lanes) -> None:
    """Whoever happened to connect would be found in the logs of others, and in what their graphs inherit."""
    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    seen: list[str] = []

    async def connect() -> None:
        whose.set("another's")
        await lanes.submit(uuid4(), ADD, (uuid4(), "first"))

    await asyncio.create_task(connect())
    await lanes.submit(uuid4(), ADD, (uuid4(), "second"), lambda _row: seen.append(whose.get()))
    assert seen == ["nobody's"]


async def test_a_lane_is_calm_while_one_uses_it_alone(lanes: Lanes) -> None:
    key = uuid4()
    assert not lanes.is_calm(key)
    await lanes.submit(key, ADD, (key, "alone"))
    assert lanes.is_calm(key)
    waiting = lanes.submit(key, "SELECT pg_sleep(0.1)::text AS slept WHERE %s", [True])
    assert not lanes.is_calm(key)
    await waiting
    for first in (0, 3):
        await asyncio.gather(*(lanes.submit(uuid4(), ADD, (uuid4(), str(n))) for n in range(first, first + 3)))
    assert not lanes.is_calm(key)


async def test_a_closed_lane_says_so(url: str) -> None:
    lanes = Lanes(url)
    lanes.start()
    await lanes.stop()
    with pytest.raises(psycopg.InterfaceError):
        lanes.submit(uuid4(), ADD, (uuid4(), "late"))


async def test_look_ups_share_a_query_and_keep_nothing() -> None:
    asked: list[list[int]] = []

    async def read(keys: object) -> dict[int, int]:
        asked.append(list(keys))  # type: ignore[call-overload]
        await asyncio.sleep(0.01)
        if 13 in asked[-1]:
            raise psycopg.OperationalError("down")
        return {key: key * 2 for key in asked[-1] if key % 2 == 0}

    batches: Batches[int, int] = Batches(read)
    first = asyncio.create_task(batches.get(2))
    await asyncio.sleep(0.005)
    assert await asyncio.gather(*(batches.get(n) for n in (1, 2, 4, 4))) == [None, 4, 8, 8]
    assert await first == 4
    assert asked == [[2], [1, 2, 4]]
    with pytest.raises(psycopg.OperationalError):
        await batches.get(13)
    assert await batches.get(6) == 12


async def test_a_function_that_a_migration_has_changed_answers_as_it_is_now(lanes: Lanes, url: str) -> None:
    """PostgreSQL refuses what was prepared before it answered with other columns."""
    make = "CREATE FUNCTION lane_function(OUT a INT{}) LANGUAGE sql AS 'SELECT 1{}'"
    drop = "DROP FUNCTION IF EXISTS lane_function()"
    asked = ("SELECT * FROM lane_function() WHERE %s", [True])
    try:
        for more, value in (("", ""), (", OUT b INT", ", 2")):
            async with await psycopg.AsyncConnection.connect(for_psycopg(url), autocommit=True) as connection:
                await connection.execute(drop)
                await connection.execute(make.format(more, value).encode())
            answer = await lanes.submit(uuid4(), *asked)
        assert answer == {"a": 1, "b": 2}
        # What the server never does is refused, and not asked for again and again.
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            await lanes.submit(uuid4(), "SELECT count(*) FROM lane_test FOR UPDATE", [])
    finally:
        async with await psycopg.AsyncConnection.connect(for_psycopg(url), autocommit=True) as connection:
            await connection.execute(drop)
