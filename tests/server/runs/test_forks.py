"""A run that forks from a checkpoint forks once, however often it is restarted (X021)."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from core.settings import Settings
from server.runs.model import RunOptions, RunRequest, RunStatus
from server.runtime import Runtime, open_runtime
from server.worker import running_worker
from tests.server.runs.conftest import until, until_next
from tests.server.runs.test_engine import request

Process = Callable[[], AbstractAsyncContextManager[Runtime]]


@pytest.fixture
def process(database_url: str, settings: Settings) -> Process:
    """Gives processes that execute runs."""

    @asynccontextmanager
    async def started() -> AsyncIterator[Runtime]:
        async with open_runtime(settings, database_url) as runtime, running_worker(runtime):
            yield runtime

    return started


async def fork_of(runtime: Runtime, asked: RunRequest, **values: Any) -> RunRequest:
    """A run that begins where the thread is now, to be started when it has moved on."""
    state = await runtime.engine.state(asked.owner_id, asked.thread_id)
    options = RunOptions(checkpoint={"checkpoint_id": state.checkpoint_id, "checkpoint_ns": ""})
    return replace(asked, input=values, options=options)


async def test_a_restart_after_the_first_step_goes_on(process: Process, idle: Runtime, owner: UUID) -> None:
    asked = request(owner)
    async with process() as first:
        await first.engine.wait(owner, await first.engine.start(asked), 10)
        fork = await fork_of(first, asked, steps=["forked"], seconds=1)
        await first.engine.wait(owner, await first.engine.start(replace(asked, input={"steps": ["lost"]})), 10)
        run_id = await first.engine.start(fork)
        await until_next(first, asked, "slow")
        # The process stops: the run is given back after its step.
    assert (await idle.engine.result(owner, run_id)).status == RunStatus.pending
    async with process() as second:
        result = await second.engine.wait(owner, run_id, 10)
    assert result.output is not None
    assert result.output["steps"] == ["first", "slow", "last", "forked", "first", "slow", "last"]


async def test_one_that_had_not_begun_forks(process: Process, idle: Runtime, owner: UUID) -> None:
    asked = request(owner)
    async with process() as first:
        await first.engine.wait(owner, await first.engine.start(asked), 10)
        fork = await fork_of(first, asked, steps=["forked"])
        await first.engine.wait(owner, await first.engine.start(replace(asked, input={"steps": ["lost"]})), 10)
    run_id = await idle.engine.start(fork)
    async with process() as second:
        result = await second.engine.wait(owner, run_id, 10)
    assert result.output is not None
    assert result.output["steps"] == ["first", "slow", "last", "forked", "first", "slow", "last"]


async def test_a_run_whose_time_came_while_nobody_was_there(process: Process, idle: Runtime, owner: UUID) -> None:
    run_id = await idle.engine.start(replace(request(owner), after_seconds=0.2))
    assert (await idle.engine.result(owner, run_id)).status == RunStatus.scheduled
    async with process() as later:

        async def ended() -> bool:
            return (await later.engine.result(owner, run_id)).status == RunStatus.success

        await until(ended)
