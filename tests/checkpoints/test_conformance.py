"""LangGraph's own conformance suite, against the savers that read and change states and the one that a run writes with.

The suite uses any number of threads with one saver; a run's saver serves one thread, so each thread gets its own run.
"""

import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.report import CapabilityReport

from checkpoints.heads import HeadCache
from checkpoints.run_saver import RunSaver
from checkpoints.saver import PooledSaver
from core.settings import Settings
from server.runs import repository
from server.runs.feed import Feed
from server.runs.model import RunRequest
from server.runs.writer import RunWriter
from server.runtime import Runtime, open_runtime
from tests.kit.waiting import known
from tests.server.runs.conftest import new_owner

KEY = base64.b64encode(os.urandom(32)).decode()
BASE = {"put", "put_writes", "get_tuple", "list", "delete_thread"}
MakeSaver = Callable[[Runtime], PooledSaver]


class RunSavers(PooledSaver):
    """Writes and reads each thread with the saver of a run on it; what names no thread is read as always."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.database.pool, runtime.serde)
        self._runtime = runtime
        self._savers: dict[str, RunSaver] = {}

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await (await self._of(config)).aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await (await self._of(config)).aput_writes(config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> Any:
        return await (await self._of(config)).aget_tuple(config)

    async def alist(self, config: RunnableConfig | None, **rest: Any) -> AsyncIterator[Any]:
        if config is not None:
            found = (await self._of(config)).alist(config, **rest)
        else:
            for saver in self._savers.values():
                await saver._outbox.flush()
            found = super().alist(config, **rest)
        async for checkpoint in found:
            yield checkpoint

    async def adelete_thread(self, thread_id: str) -> None:
        saver = await self._of({"configurable": {"thread_id": thread_id}})
        await saver._outbox.flush()
        await saver.adelete_thread(thread_id)

    async def _of(self, config: RunnableConfig) -> RunSaver:
        thread = config["configurable"]["thread_id"]
        if thread not in self._savers:
            self._savers[thread] = await self._begin(UUID(thread))
        return self._savers[thread]

    async def _begin(self, thread_id: UUID) -> RunSaver:
        runtime = self._runtime
        owner = await new_owner(runtime)
        run_id = await runtime.engine.start(
            RunRequest(thread_id=thread_id, owner_id=owner, workflow="steps", input={"steps": []})
        )
        worker = runtime.ids.uuid()
        async with runtime.system.pool.connection() as connection:
            await connection.execute("INSERT INTO platform.workers (id) VALUES (%s)", (worker,))
            claimed = await repository.claim(connection, run_id, worker)
        assert claimed is not None
        writer = RunWriter(runtime.lanes, runtime.broker, claimed, Feed(claimed.fence, is_first_attempt=True))
        return RunSaver(
            pooled(runtime),
            writer,
            thread_id=thread_id,
            begun=known(claimed.fence),
            heads=HeadCache(),
        )


def pooled(runtime: Runtime) -> PooledSaver:
    return PooledSaver(runtime.database.pool, runtime.serde)


@pytest.fixture(params=["", KEY], ids=["plain", "encrypted"])
async def runtime(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    """A process that executes nothing: the tests write as its runs do."""
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": {"steps": "tests.kit.graphs:steps"}}))
    environ = {"ENV": "test", "COLLOQUY_CONFIG": str(config)} | (
        {"CHECKPOINT_KEY": request.param} if request.param else {}
    )
    async with open_runtime(Settings.load(environ, dotenv=None), database_url) as runtime:
        yield runtime


async def judge(saver: BaseCheckpointSaver[Any], capabilities: set[str]) -> CapabilityReport:
    @checkpointer_test(name=type(saver).__name__)
    async def given() -> AsyncIterator[BaseCheckpointSaver[Any]]:
        yield saver

    return await validate(given, capabilities=capabilities)


@pytest.mark.parametrize(
    ("make", "capabilities"),
    [pytest.param(pooled, BASE | {"prune"}, id="pooled"), pytest.param(RunSavers, BASE, id="run")],
)
async def test_a_saver_conforms(runtime: Runtime, make: MakeSaver, capabilities: set[str]) -> None:
    report = await judge(make(runtime), capabilities)
    judged = {name: result for name, result in report.results.items() if name in capabilities}
    assert set(judged) == capabilities
    assert [failure for result in judged.values() for failure in result.failures] == []
    assert all(result.detected and result.passed and result.tests_passed >= 5 for result in judged.values())
