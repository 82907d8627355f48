"""A run that is taken over in the worst moments: who had it begins no further step, and who has it none twice."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from checkpoints.run_saver import RunSaver
from checkpoints.saver import FenceLost
from core.settings import Settings
from server.runs import writer
from server.runs.model import RunRequest
from server.runtime import Runtime, open_runtime
from server.worker import running_worker
from tests.server.runs.conftest import new_owner, until, until_next


async def test_no_step_begins_after_the_run_was_taken_over(
    runtime: Runtime, owner: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the process had been frozen all the time.
    monkeypatch.setattr(writer.RunWriter, "is_certain", False)
    log = tmp_path / "log"
    given = {"log": str(log), "seconds": 1.0}
    asked = RunRequest(thread_id=uuid4(), owner_id=owner, workflow="steps", input=given)
    run_id = await runtime.engine.start(asked)
    await until_next(runtime, asked, "slow")
    # What comes before a step is committed a little before its first line; it tells of itself at its end.
    await asyncio.sleep(0.3)
    await _take_over(runtime, asked.thread_id)
    await _until_stopped(runtime, run_id)
    assert log.read_text() == "first\nslow\n"


@pytest.mark.parametrize(("dead_seconds", "frozen_seconds"), [(6.0, 10.0), (2.5, 2.6)], ids=["usual", "quick"])
async def test_no_step_begins_that_was_let_through_before_the_process_froze(
    database_url: str,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dead_seconds: float,
    frozen_seconds: float,
) -> None:
    """Frozen between the look that the saver takes and the next step's first line, for longer than others wait."""
    log = tmp_path / "log"
    slept = 0.0
    monkeypatch.setattr(writer, "time", SimpleNamespace(time=lambda: time.time() + slept))
    put = RunSaver.aput

    async def put_and_freeze(self: RunSaver, *given: Any) -> Any:
        nonlocal slept
        saved = await put(self, *given)
        if given[1]["channel_values"].get("steps") == ["first"]:
            await _take_over(runtime, asked.thread_id)
            slept = frozen_seconds
        return saved

    monkeypatch.setattr(RunSaver, "aput", put_and_freeze)
    chosen = settings.model_copy(update={"worker_beat_seconds": 0.5, "worker_dead_seconds": dead_seconds})
    async with open_runtime(chosen, database_url) as runtime, running_worker(runtime):
        owner = await new_owner(runtime)
        asked = RunRequest(thread_id=uuid4(), owner_id=owner, workflow="steps", input={"log": str(log)})
        await _until_stopped(runtime, await runtime.engine.start(asked))
    assert log.read_text() == "first\n"


async def test_a_result_that_was_saved_is_told_again_and_its_step_not_done_again(
    runtime: Runtime, owner: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up after the commit of what a step gave, and before that of the checkpoint that follows."""
    log = tmp_path / "log"
    asked = RunRequest(thread_id=uuid4(), owner_id=owner, workflow="steps", input={"log": str(log)})
    put = RunSaver.aput

    async def lose_before_put(self: RunSaver, *given: Any) -> Any:
        if self._memory.fence == 1 and given[1]["channel_values"].get("steps") == ["first"]:
            await self._outbox.flush()
            await _take_over(runtime, asked.thread_id)
            await _restart(runtime, asked.thread_id)
            raise FenceLost
        return await put(self, *given)

    monkeypatch.setattr(RunSaver, "aput", lose_before_put)
    run_id = await runtime.engine.start(asked)
    events = [event async for event in runtime.engine.stream(owner, run_id)]
    assert log.read_text() == "first\nslow\nlast\n"
    second = next(place for place, event in enumerate(events) if event.data.get("attempt") == 2)
    assert {"type": "note", "text": "first"} in [event.data for event in events[:second]]
    told = [next(iter(event.data)) for event in events[second + 1 :]]
    assert told == ["first", "slow", "last"]


async def _take_over(runtime: Runtime, thread_id: UUID) -> None:
    async def taken_over() -> bool:
        async with runtime.system.pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE platform.threads SET fence = fence + 1 WHERE id = %s", (thread_id,)
            )
        return cursor.rowcount == 1

    # A run's first step may be done before others see its thread.
    await until(taken_over)


async def _restart(runtime: Runtime, thread_id: UUID) -> None:
    async with runtime.system.pool.connection() as connection:
        cursor = await connection.execute(
            "UPDATE platform.runs SET status = 'pending', worker_id = NULL WHERE thread_id = %s RETURNING id",
            (thread_id,),
        )
        row = await cursor.fetchone()
    assert row is not None
    assert runtime.engine.executor is not None
    runtime.engine.executor.offer(row["id"])


async def _until_stopped(runtime: Runtime, run_id: UUID) -> None:
    executor = runtime.engine.executor
    assert executor is not None

    async def stopped() -> bool:
        return not executor.executes(run_id)

    await until(stopped)
