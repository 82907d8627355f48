import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest

from core.errors import NotFound
from core.settings import Settings
from server.auth import api_keys, repository
from server.runs.model import RunRequest
from server.runtime import Runtime, open_runtime
from server.worker import running_worker

GRAPHS = {"steps": "tests.kit.graphs:steps", "approval": "tests.kit.graphs:approval"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": GRAPHS}))
    return Settings.load({"ENV": "test", "COLLOQUY_CONFIG": str(config)}, dotenv=None)


@pytest.fixture
async def idle(database_url: str, settings: Settings) -> AsyncIterator[Runtime]:
    """A process that accepts runs and executes none."""
    async with open_runtime(settings, database_url) as runtime:
        yield runtime


@pytest.fixture
async def runtime(idle: Runtime) -> AsyncIterator[Runtime]:
    """A process that executes runs too."""
    async with running_worker(idle):
        yield idle


@pytest.fixture
async def owner(idle: Runtime) -> UUID:
    return await new_owner(idle)


async def new_owner(runtime: Runtime) -> UUID:
    async with runtime.system.transaction() as session:
        key = await api_keys.create(session, "test")
    principal = await repository.by_key(runtime.database.pool, api_keys.digest(key))
    assert principal is not None
    return principal.user_id


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.02)


async def until_next(runtime: Runtime, asked: RunRequest, node: str) -> None:
    """Wait until the steps before `node` are committed: a step may be told before it is."""

    async def is_next() -> bool:
        try:
            return (await runtime.engine.state(asked.owner_id, asked.thread_id)).next == (node,)
        except NotFound:
            return False

    await until(is_next)
