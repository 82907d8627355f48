import asyncio
import os
from collections import Counter
from collections.abc import Iterator

# Before LangGraph is imported anywhere (X023).
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["LANGSMITH_TRACING"] = "false"

import pytest
from blockbuster import blockbuster_ctx

from core import logging
from server.database import migrate
from tests.kit import database
from tests.kit.directories import crossable

OUR_PACKAGES = ["checkpoints", "core", "db", "graphs", "jobs", "nodes", "providers", "server", "skills", "tools"]


# Tests of real processes, a minute a file: the last of them would run on while the other workers have nothing to do.
LONG = tuple(f"tests/{name}" for name in ("e2e/", "faults/", "server/interpret/test_real_servers", "tools/mcp/"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; each is one worker's (`--dist loadfile`)."""
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (not item.nodeid.startswith(LONG), -sizes[item.path], str(item.path)))


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    logging.configure("debug", "json")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server for the whole session, with one migrated database."""
    with crossable() as path, database.running_server(path / "pg") as url:
        asyncio.run(migrate(database.create(url, database.DATABASE)))
        yield url


@pytest.fixture(scope="session")
def emptier(server_url: str) -> Iterator[database.Emptier]:
    emptier = database.Emptier(database.at(server_url, database.DATABASE))
    yield emptier
    emptier.close()


@pytest.fixture
def database_url(server_url: str, emptier: database.Emptier) -> str:
    """The migrated database, without a row."""
    emptier.empty()
    return database.at(server_url, database.DATABASE)


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    """A blocking call of our own code on an event loop fails the test."""
    with blockbuster_ctx(OUR_PACKAGES):
        yield
