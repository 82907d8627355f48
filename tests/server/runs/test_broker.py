"""Processes that are alone tell PostgreSQL nothing of their runs' news; those that are not, do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg
import pytest

from db.url import for_psycopg
from server.runs import broker
from server.runs.broker import Broker, News
from tests.kit.waiting import until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(broker, "_LOOK_AROUND_SECONDS", 0.3)
    monkeypatch.setattr(broker, "_RECONNECT_SECONDS", 0.05)


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Broker]:
    made = Broker(for_psycopg(url))
    made.start()
    yield made
    await made.stop()


RUN = uuid4()


def is_alone(one: Broker) -> bool:
    return not one._has_others


async def hears(teller: Broker, news: News) -> bool:
    news.clear()
    teller.tell(RUN)
    try:
        await asyncio.wait_for(news.wait(), 0.3)
    except TimeoutError:
        return False
    return True


async def test_who_is_alone_says_nothing(database_url: str) -> None:
    async with (
        listening(database_url) as one,
        await psycopg.AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as ear,
    ):
        await until(lambda: is_alone(one))
        await ear.execute(f"LISTEN {broker._CHANNEL}")
        one.tell(RUN)
        heard = [notification.payload async for notification in ear.notifies(timeout=0.7)]
        assert str(RUN) not in heard
        # It still asks.
        assert any(payload.startswith(broker._HELLO) for payload in heard)


async def test_who_comes_is_told_from_then_on(database_url: str) -> None:
    async with listening(database_url) as one:
        await until(lambda: is_alone(one))
        async with listening(database_url) as other:
            await until(lambda: not is_alone(one))
            with other.subscribe(RUN) as news:
                assert await hears(one, news)
            # As often as it asks.
            for _ in range(3):
                await asyncio.sleep(0.3)
                assert not is_alone(one)
                assert not is_alone(other)
        await until(lambda: is_alone(one))


async def test_readers_of_the_own_process_are_told_all_the_same(database_url: str) -> None:
    async with listening(database_url) as one:
        await until(lambda: is_alone(one))
        with one.subscribe(RUN) as news:
            assert await hears(one, news)


async def test_who_cannot_hear_himself_does_not_think_that_he_is_alone(database_url: str) -> None:
    async with listening(database_url) as one, listening(database_url) as other:
        await until(lambda: one._heard >= {one._id, other._id})
        async with await psycopg.AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as connection:
            for _ in range(5):
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                    " AND datname = current_database()"
                )
                await asyncio.sleep(0.1)
                assert not is_alone(one)
        await until(lambda: one._heard >= {one._id, other._id})


async def test_who_could_not_listen_for_a_while_asks_at_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "_LOOK_AROUND_SECONDS", 60.0)
    async with (
        listening(database_url) as one,
        await psycopg.AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as connection,
    ):
        await until(lambda: is_alone(one))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            " AND datname = current_database()"
        )
        await until(lambda: not is_alone(one))
        await until(lambda: is_alone(one))


async def test_who_was_too_busy_to_answer_is_told_again_when_he_has(database_url: str) -> None:
    async with listening(database_url) as one, listening(database_url) as other:
        await until(lambda: other._id in one._heard)
        for task in other._tasks:
            task.cancel()
        await until(lambda: is_alone(one))
        other.start()
        await until(lambda: not is_alone(one))
        with other.subscribe(RUN) as news:
            assert await hears(one, news)
