"""The process's connections."""

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from db.database import Database
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
