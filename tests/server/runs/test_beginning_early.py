"""A run is prepared while its acceptance is being committed, and does nothing before that is known (X016, X018)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from core.errors import Conflict
from providers.usage import UsageCollector
from server.runs.drive import may_begin_early
from server.runs.executor import Executor
from server.runs.loading.graphs import factory
from server.runs.model import Claim, RunStatus
from server.runs.workflows import Workflows
from server.runtime import Runtime
from server.worker import running_worker
from tests.kit.graphs import steps
from tests.kit.waiting import until
from tests.server.runs.test_engine import request


@asynccontextmanager
async def locked(runtime: Runtime, thread_id: UUID) -> AsyncIterator[None]:
    """Hold a thread's row: runs on it are not accepted until the block ends."""
    async with runtime.system.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT FROM platform.threads WHERE id = %s FOR UPDATE", (thread_id,))
        yield


def executor_of(runtime: Runtime) -> Executor:
    assert runtime.engine.executor is not None
    return runtime.engine.executor


async def test_no_step_before_the_run_is_accepted(runtime: Runtime, owner: UUID, tmp_path: Path) -> None:
    did, thread_id = tmp_path / "did", uuid4()
    begun = await runtime.engine.start(request(owner, thread_id=thread_id))
    await runtime.engine.wait(owner, begun, 10)
    async with locked(runtime, thread_id):
        starting = asyncio.create_task(runtime.engine.start(request(owner, thread_id=thread_id, log=str(did))))
        await until(lambda: bool(executor_of(runtime)._expected))
        await asyncio.sleep(0.3)
        assert not starting.done()
        assert not did.exists()
        assert not runtime.engine._broker._feeds
    run_id = await starting
    result = await runtime.engine.wait(owner, run_id, 10)
    assert (result.status, did.read_text().split()) == (RunStatus.success, ["first", "slow", "last"])


async def test_a_run_that_is_refused_leaves_nothing(runtime: Runtime, owner: UUID, tmp_path: Path) -> None:
    did, asked = tmp_path / "did", request(owner, seconds=0.3)
    running = await runtime.engine.start(asked)
    with pytest.raises(Conflict):
        await runtime.engine.start(replace(asked, input={"log": str(did)}))
    await until(lambda: not executor_of(runtime)._expected)
    await runtime.engine.wait(owner, running, 10)
    assert not did.exists()
    assert not executor_of(runtime)._tasks


async def test_what_fails_before_the_first_step_fails_the_accepted_run(runtime: Runtime, owner: UUID) -> None:
    wrong = request(owner)
    run_id = await runtime.engine.start(replace(wrong, options=replace(wrong.options, recursion_limit=-1)))
    result = await runtime.engine.wait(owner, run_id, 10)
    assert (result.status, result.error_code) == (RunStatus.error, "INTERNAL")
    events = [event.event async for event in runtime.engine.stream(owner, run_id)]
    assert events == ["metadata", "error"]


async def test_a_run_that_is_cancelled_as_it_is_accepted_ends_so(runtime: Runtime, owner: UUID, tmp_path: Path) -> None:
    did, thread_id = tmp_path / "did", uuid4()
    begun = await runtime.engine.start(request(owner, thread_id=thread_id))
    await runtime.engine.wait(owner, begun, 10)
    executor = executor_of(runtime)
    async with locked(runtime, thread_id):
        starting = asyncio.create_task(runtime.engine.start(request(owner, thread_id=thread_id, log=str(did))))
        await until(lambda: bool(executor._expected))
        [task] = executor._expected
        executor.cancel(UUID(task.get_name().removeprefix("run ")))
    run_id = await starting
    result = await runtime.engine.wait(owner, run_id, 10)
    assert result.status == RunStatus.interrupted
    assert not did.exists()


def test_what_is_not_ours_is_not_called_early(monkeypatch: pytest.MonkeyPatch) -> None:
    claimed = Claim(
        run_id=uuid4(),
        thread_id=uuid4(),
        owner_id=uuid4(),
        workflow="steps",
        request={"options": {"tags": ["a"]}, "stream_modes": ["values", "messages"]},
        fence=0,
        attempt=1,
        restarts_input=True,
        waited=0,
    )
    ours = Workflows({"steps": steps})
    assert may_begin_early(ours, claimed)
    assert not may_begin_early(Workflows({"steps": steps}, {"steps": factory("steps", lambda: steps)}), claimed)
    assert not may_begin_early(Workflows({"steps": steps.with_config(callbacks=[UsageCollector()])}), claimed)
    for options in ({"checkpoint": {"checkpoint_id": "1"}}, {"goto": ["last"]}):
        assert not may_begin_early(ours, replace(claimed, request={**claimed.request, "options": options}))
    # The graph's start is one of them, which is told before the thread's checkpoint is asked for.
    assert not may_begin_early(ours, replace(claimed, request={"stream_modes": ["values", "events"]}))
    monkeypatch.setattr("server.runs.drive.tracing_is_enabled", lambda: True)
    assert not may_begin_early(ours, claimed)


async def test_a_run_of_a_workflow_that_is_not_here_any_more_fails_at_once(idle: Runtime, owner: UUID) -> None:
    run_id = await idle.engine.start(request(owner))
    async with idle.system.pool.connection() as connection:
        await connection.execute("UPDATE platform.threads SET workflow = 'gone'")
        await connection.execute("UPDATE platform.runs SET workflow = 'gone'")
    async with running_worker(idle):
        result = await idle.engine.wait(owner, run_id, 5)
    assert (result.status, result.error_code) == (RunStatus.error, "INTERNAL")
