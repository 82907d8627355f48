import asyncio
import os
from collections.abc import Generator, Iterator
from typing import Any

# Before LangGraph is imported anywhere (X023).
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["LANGSMITH_TRACING"] = "false"
# The workers keep what they compile, whatever is set outside: else each compiles all of our files each time.
os.environ["PYTHONDONTWRITEBYTECODE"] = ""

import pytest
from blockbuster import blockbuster_ctx

from core import logging
from server import memory
from server.database import migrate
from tests.kit import database, order
from tests.kit.directories import crossable

OUR_PACKAGES = ["checkpoints", "core", "db", "graphs", "jobs", "nodes", "providers", "server", "skills", "tools"]


def pytest_configure() -> None:
    memory.begin()


def pytest_collection_finish() -> None:
    # As in a server that has started: what is loaded now stays.
    memory.settle()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if isinstance(collector, pytest.Directory):
        report.result = order.turned(report.result)
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order.sort(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> order.Rows | None:
    return order.Rows(config, log) if config.getoption("dist") == "loadfile" else None


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
