"""Readers in the process that executes a run: fed at once, in order, once each, and told of no interrupt too early."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.runs import events, feed, writer
from server.runs.feed import Feed
from server.runs.model import FIRST, Event, EventId, RunStatus
from server.runtime import Runtime
from tests.server.runs.test_engine import collected, request


def event(seq: int, fence: int = 3) -> Event:
    return Event(EventId(fence, seq), "custom", str(seq))


@given(st.integers(1, 30), st.integers(0, 60), st.integers(0, 70), st.booleans())
def test_nothing_is_skipped_and_nothing_comes_twice(kept: int, published: int, last: int, first: bool) -> None:  # noqa: FBT001
    """What memory gives is what the log would give; where it cannot know, it says so."""
    made = Feed(3, is_first_attempt=first, kept=kept)
    for seq in range(1, published + 1):
        made.publish(event(seq))
    found = made.after(EventId(3, last))
    if found is None:
        assert last < published - kept
    else:
        assert [one.id.seq for one in found] == list(range(last + 1, published + 1))
    earlier = made.after(EventId(2, 99))
    assert (earlier is None) == (not first or published > kept)
    assert made.after(EventId(4, 1)) is None


async def test_events_are_seen_before_they_are_stored(
    runtime: Runtime, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_DELAY_SECONDS", 30.0)
    monkeypatch.setattr(writer.RunWriter, "go_ahead", lambda _: None)
    run_id = await runtime.engine.start(request(owner, seconds=1))
    seen = []
    async for one in runtime.engine.stream(owner, run_id):
        seen.append(one.event)
        if one.event == "updates":
            break
    assert seen == ["metadata", "custom", "updates"]
    async with runtime.system.pool.connection() as connection:
        cursor = await connection.execute("SELECT count(*) AS stored FROM platform.run_events")
        assert await cursor.fetchone() == {"stored": 0}
    assert (await runtime.engine.wait(owner, run_id, 10)).status == RunStatus.success


async def test_memory_and_log_tell_the_same(runtime: Runtime, owner: UUID) -> None:
    run_id = await runtime.engine.start(request(owner, seconds=0.3))
    live = await collected(runtime, owner, run_id)
    assert live == await collected(runtime, owner, run_id)
    assert [one.id.seq for one in live] == list(range(1, len(live) + 1))


async def test_a_reader_in_this_process_asks_the_database_for_nothing(
    runtime: Runtime, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the run's end is told from memory."""

    async def ask(*_args: object) -> None:
        raise AssertionError("the log was read")

    monkeypatch.setattr(events, "_page", ask)
    run_id = await runtime.engine.start(request(owner, seconds=0.2))
    live = [one async for page in runtime.engine.follow(owner, run_id) for one in page]
    assert [one.id.seq for one in live] == list(range(1, len(live) + 1))
    assert live[-1].event == "updates"


async def test_who_is_too_late_for_memory_reads_the_log(
    runtime: Runtime, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed.Feed.__init__, "__kwdefaults__", {"kept": 1})
    run_id = await runtime.engine.start(request(owner, seconds=0.4))
    await asyncio.sleep(0.2)
    live = await collected(runtime, owner, run_id)
    assert [one.id.seq for one in live] == list(range(1, len(live) + 1))
    assert [one.event for one in live][:2] == ["metadata", "custom"]


@pytest.mark.parametrize("mode", ["updates", "values", "tasks", "debug"])
async def test_an_interrupt_is_told_when_it_can_be_answered(runtime: Runtime, owner: UUID, mode: str) -> None:
    """In whichever mode: who answers at once is never told that the thread is busy."""
    asked = replace(request(owner, "approval"), stream_modes=(mode,))  # type: ignore[arg-type]  # it is a mode
    run_id = await runtime.engine.start(asked)
    announced = False
    async for one in _until_interrupt(runtime, owner, run_id):
        announced = "go on?" in str(one.data)
    assert announced
    resumed = await runtime.engine.resume(asked, "yes")
    assert (await runtime.engine.wait(owner, resumed, 10)).status == RunStatus.success


async def _until_interrupt(runtime: Runtime, owner: UUID, run_id: UUID) -> AsyncIterator[Event]:
    async for one in runtime.engine.stream(owner, run_id, FIRST, 10):
        yield one
        if "go on?" in str(one.data):
            return


async def test_many_readers_of_many_runs(runtime: Runtime, owner: UUID) -> None:
    runs = [await runtime.engine.start(request(owner, thread_id=uuid4(), seconds=0.1)) for _ in range(10)]
    told = await asyncio.gather(*(collected(runtime, owner, run) for run in runs for _ in range(3)))
    for number, live in enumerate(told):
        assert live[0].data["run_id"] == str(runs[number // 3])
        assert [one.id.seq for one in live] == list(range(1, len(live) + 1))
