"""The process's connections."""

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from db.database import Database
from db.roles import role_url

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
