"""The process's connections."""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from uuid import uuid4

import pytest
from psycopg.errors import UndefinedColumn
from psycopg.pq import TransactionStatus
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from db.database import Database, acting_for
from db.roles import role_url
from tests.kit.outage import door_to

# What `select` cannot watch begins here.
_MANY = 1024


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    """A process that has as many open as one with a thousand streams."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * _MANY), hard))
    with ExitStack() as opened:
        for _ in range(_MANY):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_descriptors")
async def test_a_process_with_many_streams_gets_connections(database_url: str) -> None:
    database = Database(role_url(database_url, "app"), pool_size=1)
    await database.open()
    try:
        async with database.pool.connection(timeout=5) as connection:
            assert connection.fileno() >= _MANY
            cursor = await connection.execute("SELECT 1 AS one")
            assert await cursor.fetchone() == {"one": 1}
    finally:
        await database.close()


async def _ask(database: Database) -> None:
    async with database.pool.connection() as connection:
        await connection.execute("SELECT 1")


@pytest.mark.parametrize("asked_meanwhile", [True, False])
async def test_connections_are_there_again_as_soon_as_the_server_is(
    database_url: str,
    asked_meanwhile: bool,  # noqa: FBT001
) -> None:
    """However long it was away, for those who have waited and for those who come after."""
    async with door_to(role_url(database_url, "app")) as (door, url):
        database = Database(url, pool_size=8)
        await database.open()
        try:
            async with AsyncExitStack() as all_at_once:
                for _ in range(8):
                    await all_at_once.enter_async_context(database.pool.connection())
            await door.shut()
            waiting = [asyncio.create_task(_ask(database)) for _ in range(4 * asked_meanwhile)]
            await asyncio.sleep(1.5)
            await door.open()
            begun = time.monotonic()
            await asyncio.gather(*waiting, _ask(database))
            assert time.monotonic() - begun < 1.0
        finally:
            await database.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(role_url(database_url, "app"), pool_size=1)
    await database.open()
    yield database
    await database.close()


async def test_a_connection_that_the_server_has_closed_is_not_given_out(database: Database) -> None:
    """As after a restart of PostgreSQL: nobody sees an error, and no request asks first."""
    async with database.transaction() as session:
        former = await session.scalar(text("SELECT pg_backend_pid()"))
    async with database.pool.connection() as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", (former,))
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) != former


async def test_a_transaction_is_one_and_its_user_ends_with_it(database: Database) -> None:
    user = uuid4()
    whose = text("SELECT current_setting('app.user_id', true)")
    async with database.transaction(user) as session:
        assert await session.scalar(whose) == str(user)
        # Outside of a transaction both would be different ones.
        begun = await session.scalar(text("SELECT pg_current_xact_id()::text"))
        assert await session.scalar(text("SELECT pg_current_xact_id()::text")) == begun
    async with database.transaction() as session:
        assert await session.scalar(whose) == ""
    async with acting_for(database.pool, user) as connection:
        cursor = await connection.execute("SELECT current_setting('app.user_id', true) AS whose")
        assert await cursor.fetchone() == {"whose": str(user)}
        assert connection.info.transaction_status is TransactionStatus.INTRANS
    async with database.pool.connection() as connection:
        cursor = await connection.execute("SELECT current_setting('app.user_id', true) AS whose")
        assert await cursor.fetchone() == {"whose": ""}


# A setting of the session is undone with the transaction that made it.
_NOTE = "SELECT set_config('app.note', 'kept', false)"
_READ = "SELECT current_setting('app.note', true) AS note"
_WRONG = "SELECT nothing"


async def _fail(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text(_NOTE))
        await session.execute(text(_WRONG))


async def _fail_acting(database: Database) -> None:
    async with acting_for(database.pool, uuid4()) as connection:
        await connection.execute(_NOTE)
        await connection.execute(_WRONG)


async def test_what_fails_is_rolled_back(database: Database) -> None:
    with pytest.raises(ProgrammingError):
        await _fail(database)
    async with database.transaction() as session:
        assert not await session.scalar(text(_READ))
    with pytest.raises(UndefinedColumn):
        await _fail_acting(database)
    async with database.pool.connection() as connection:
        assert connection.info.transaction_status is TransactionStatus.IDLE
        assert await (await connection.execute(_READ)).fetchone() in ({"note": None}, {"note": ""})
