"""Retention: what is old, or too much, goes; what a thread needs to go on stays (issue 4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from langgraph.checkpoint.base.id import uuid6
from langgraph.types import StateUpdate
from prometheus_client import REGISTRY

from checkpoints.retention import first_id_at
from core.errors import Conflict
from core.settings import Settings
from server.runs import retention_repository, state_updates
from server.runs.model import Idempotency, RunRequest, RunStatus
from server.runs.retention import Limits, Retention
from server.runs.thread_states import Place, ThreadStates
from server.runtime import Runtime, open_runtime
from server.worker import running_worker
from tests.kit.people import SetClock
from tests.server.runs.conftest import new_owner

GRAPHS = {
    "chat": "tests.kit.chat_graphs:chat",
    "calls": "tests.kit.chat_graphs:calls",
    "approval": "tests.kit.graphs:approval",
    "steps": "tests.kit.graphs:steps",
}
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "list_items")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": GRAPHS}))
    return Settings.load({"ENV": "test", "COLLOQUY_CONFIG": str(config)}, dotenv=None)


@pytest.fixture
async def runtime(database_url: str, settings: Settings) -> AsyncIterator[Runtime]:
    async with open_runtime(settings, database_url) as runtime, running_worker(runtime):
        yield runtime


@pytest.fixture
async def owner(runtime: Runtime) -> UUID:
    return await new_owner(runtime)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime.now(UTC) + timedelta(minutes=5))


def retention(runtime: Runtime, clock: SetClock, **limits: Any) -> Retention:
    known = {"checkpoints": None, "checkpoint_age": None, "event_age": None, "run_age": None}
    return Retention(runtime.system.pool, Limits(**(known | limits)), clock, 600)


async def run(runtime: Runtime, owner: UUID, thread: UUID, workflow: str, given: Any, **more: Any) -> UUID:
    asked = RunRequest(thread_id=thread, owner_id=owner, workflow=workflow, input=given, **more)
    run_id = await runtime.engine.start(asked)
    result = await runtime.engine.wait(owner, run_id, 20)
    assert result.status in (RunStatus.success, RunStatus.interrupted), result
    return run_id


async def say(runtime: Runtime, owner: UUID, thread: UUID, text: str) -> UUID:
    message = {"type": "human", "content": text, "id": f"human-{text}"}
    return await run(runtime, owner, thread, "chat", {"messages": [message]})


async def rows(runtime: Runtime, statement: Any, *values: Any) -> list[dict[str, Any]]:
    async with runtime.system.pool.connection() as connection:
        return await (await connection.execute(statement, values)).fetchall()


async def stored(runtime: Runtime, thread: UUID) -> dict[str, int]:
    counted = {}
    for table in TABLES:
        found = await rows(runtime, f"SELECT count(*) AS n FROM checkpoints.{table} WHERE thread_id = %s", str(thread))
        counted[table] = found[0]["n"]
    return counted


def histories(runtime: Runtime) -> ThreadStates:
    return ThreadStates(pool=runtime.database.pool, workflows=runtime.workflows, serde=runtime.serde)


async def values(runtime: Runtime, owner: UUID, thread: UUID) -> dict[str, Any]:
    state = await runtime.engine.state(owner, thread)
    return dict(state.values)


async def test_a_thread_keeps_its_newest_checkpoints_and_what_they_name(
    runtime: Runtime, owner: UUID, clock: SetClock
) -> None:
    thread = uuid4()
    for turn in range(25):
        await say(runtime, owner, thread, str(turn))
    before, said = await stored(runtime, thread), await values(runtime, owner, thread)
    assert await retention(runtime, clock, checkpoints=5).sweep()
    after = await stored(runtime, thread)
    assert after["checkpoints"] == 5 < before["checkpoints"]
    assert after["checkpoint_blobs"] < before["checkpoint_blobs"]
    assert after["checkpoint_writes"] < before["checkpoint_writes"]
    assert await values(runtime, owner, thread) == said
    states = await histories(runtime).history(owner, thread, limit=100)
    assert [len(state["values"]["messages"]) for state in states] == [50, 49, 48, 48, 47]
    assert states[-1]["parent_checkpoint"] is None
    await say(runtime, owner, thread, "and on")
    assert len((await values(runtime, owner, thread))["messages"]) == 52


async def test_items_that_no_version_names_go_and_may_come_back(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    """Messages that were taken out of a long list are stored again when they return, by whoever remembers them."""
    thread = uuid4()
    for turn in range(20):
        await say(runtime, owner, thread, str(turn))
    for _ in range(5):
        await say(runtime, owner, thread, "forget 0")
    before = await stored(runtime, thread)
    assert await retention(runtime, clock, checkpoints=1).sweep()
    after = await stored(runtime, thread)
    assert after["list_items"] < before["list_items"]
    messages = (await values(runtime, owner, thread))["messages"]
    assert after["list_items"] == len(messages)
    # The very message that went first, as it was.
    await say(runtime, owner, thread, "0")
    again = (await values(runtime, owner, thread))["messages"]
    assert len(again) == len(messages) + 2


async def test_old_checkpoints_go_but_the_newest(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    thread = uuid4()
    for turn in range(3):
        await say(runtime, owner, thread, str(turn))
    said = await values(runtime, owner, thread)
    sweeper = retention(runtime, clock, checkpoint_age=timedelta(days=8))
    assert await sweeper.sweep()
    assert (await stored(runtime, thread))["checkpoints"] == 9
    clock.move(days=8)
    assert await sweeper.sweep()
    assert (await stored(runtime, thread))["checkpoints"] == 1
    assert await values(runtime, owner, thread) == said
    [head] = await rows(
        runtime, "SELECT parent_checkpoint_id AS parent FROM checkpoints.checkpoints WHERE thread_id = %s", str(thread)
    )
    assert head["parent"] is None


async def test_an_interrupt_can_be_answered_however_old_it_is(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    thread = uuid4()
    await run(runtime, owner, thread, "approval", {"steps": []})
    clock.move(days=400)
    assert await retention(runtime, clock, checkpoints=1, checkpoint_age=timedelta(days=1)).sweep()
    assert (await stored(runtime, thread))["checkpoints"] == 1
    await run(runtime, owner, thread, "approval", None, resume="yes", answers=())
    assert (await values(runtime, owner, thread))["answer"] == "yes"


async def test_a_subgraph_remembers(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    thread = uuid4()
    await run(runtime, owner, thread, "calls", {"asked": "a"})
    clock.move(days=400)
    assert await retention(runtime, clock, checkpoints=1, checkpoint_age=timedelta(days=1)).sweep()
    await run(runtime, owner, thread, "calls", {"asked": "b"})
    assert (await values(runtime, owner, thread))["heard"] == ["a 1", "a 2", "b 3", "b 4"]


async def test_a_thread_with_an_unfinished_run_is_left_alone(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    thread = uuid4()
    for turn in range(3):
        await say(runtime, owner, thread, str(turn))
    later = RunRequest(thread_id=thread, owner_id=owner, workflow="chat", input={}, after_seconds=3600)
    run_id = await runtime.engine.start(later)
    before = await stored(runtime, thread)
    sweeper = retention(runtime, clock, checkpoints=1)
    assert await sweeper.sweep()
    assert await stored(runtime, thread) == before
    await runtime.engine.cancel(owner, run_id)
    await say(runtime, owner, thread, "on")
    assert await sweeper.sweep()
    assert (await stored(runtime, thread))["checkpoints"] == 1


async def test_events_and_what_runs_were_asked_go_by_age(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    run_id = await run(runtime, owner, uuid4(), "steps", {"steps": []}, metadata={"kept": "yes"})
    count = "SELECT count(*) AS n FROM platform.run_events WHERE run_id = %s"
    [before] = await rows(runtime, count, run_id)
    sweeper = retention(runtime, clock, event_age=timedelta(days=7), run_age=timedelta(days=30))
    assert await sweeper.sweep()
    assert await rows(runtime, count, run_id) == [before]
    assert before["n"] > 0
    clock.move(days=7)
    assert await sweeper.sweep()
    assert await rows(runtime, count, run_id) == [{"n": 0}]
    [kept] = await rows(runtime, "SELECT request, output FROM platform.runs WHERE id = %s", run_id)
    assert (kept["request"]["input"], kept["output"]["steps"]) == ({"steps": []}, ["first", "slow", "last"])
    clock.move(days=23)
    assert await sweeper.sweep()
    [kept] = await rows(runtime, "SELECT request, output FROM platform.runs WHERE id = %s", run_id)
    assert (kept["request"]["input"], kept["output"]) == (None, None)
    assert kept["request"]["metadata"] == {"kept": "yes"}


async def test_one_process_at_a_time_and_in_parts(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    thread = uuid4()
    for turn in range(3):
        await say(runtime, owner, thread, str(turn))
    sweeper = retention(runtime, clock, checkpoints=1)
    before = await stored(runtime, thread)
    async with runtime.system.pool.connection() as connection, connection.transaction():
        assert await retention_repository.take_turn(connection)
        assert await sweeper.sweep()
    assert await stored(runtime, thread) == before
    assert not await sweeper.sweep(seconds=-1)
    assert await stored(runtime, thread) == before
    assert REGISTRY.get_sample_value("colloquy_retention_backlog", {"sweep": "threads"}) == 1
    gone = REGISTRY.get_sample_value("colloquy_retention_deleted_total", {"kind": "checkpoints"}) or 0
    assert await sweeper.sweep()
    assert REGISTRY.get_sample_value("colloquy_retention_backlog", {"sweep": "threads"}) == 0
    now = REGISTRY.get_sample_value("colloquy_retention_deleted_total", {"kind": "checkpoints"})
    assert now == gone + before["checkpoints"] - 1


async def test_more_than_a_part_of_one_thread(
    runtime: Runtime, owner: UUID, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkpoints.retention.MOST_ROWS", 4)
    thread = uuid4()
    for turn in range(8):
        await say(runtime, owner, thread, str(turn))
    said = await values(runtime, owner, thread)
    assert await retention(runtime, clock, checkpoints=1).sweep()
    after = await stored(runtime, thread)
    assert after["checkpoints"] == 1
    [named] = await rows(
        runtime,
        "SELECT checkpoint->'channel_versions' AS versions FROM checkpoints.checkpoints WHERE thread_id = %s",
        str(thread),
    )
    assert after["checkpoint_blobs"] <= len(named["versions"])
    assert await values(runtime, owner, thread) == said


async def test_a_change_of_an_old_state_beside_a_sweep_is_refused(
    runtime: Runtime, owner: UUID, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was worked out on a checkpoint that is gone: its values would be gone as well."""
    thread = uuid4()
    for turn in range(3):
        await say(runtime, owner, thread, str(turn))
    states = histories(runtime)
    oldest = (await states.history(owner, thread, limit=100))[-1]["checkpoint"]["checkpoint_id"]
    apply = state_updates.apply

    async def slowly(*given: Any) -> dict[str, Any]:
        made = await apply(*given)
        assert await retention(runtime, clock, checkpoints=1).sweep()
        return made

    monkeypatch.setattr(state_updates, "apply", slowly)
    with pytest.raises(Conflict):
        await states.update(owner, thread, [StateUpdate({"turn": 7}, "answer")], Place(checkpoint_id=oldest))
    assert (await stored(runtime, thread))["checkpoints"] == 1


async def test_keys_and_jobs(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    run_id = await run(runtime, owner, uuid4(), "steps", {"steps": []}, idempotency=Idempotency("key", b"1" * 32))
    keys = "SELECT run_id FROM platform.idempotency_keys"
    sweeper = retention(runtime, clock)
    assert await sweeper.sweep()
    assert await rows(runtime, keys) == [{"run_id": run_id}]
    async with runtime.system.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, args, status)"
            " VALUES ('other', 'old', '{}', 'succeeded'), ('other', 'orphan', '{}', 'doing'),"
            " ('other', 'new', '{}', 'todo')"
        )
    clock.move(hours=24)
    assert await sweeper.sweep()
    assert await rows(runtime, keys) == []
    assert await rows(runtime, "SELECT task_name FROM jobs.procrastinate_jobs WHERE queue_name = 'other'") == [
        {"task_name": "new"}
    ]


async def test_ids_of_checkpoints_are_compared_with_instants() -> None:
    for _ in range(50):
        before = datetime.now(UTC)
        await asyncio.sleep(0.001)
        made = str(uuid6(clock_seq=-2))
        await asyncio.sleep(0.001)
        assert first_id_at(before) < made < first_id_at(datetime.now(UTC))


async def test_deleting_a_thread_leaves_nothing(runtime: Runtime, owner: UUID, database_url: str) -> None:
    """Whatever table there is, in any schema, holds no row that names the thread or one of its runs."""
    thread = uuid4()
    ids = [str(thread), *[str(await say(runtime, owner, thread, str(turn))) for turn in range(18)]]
    later = RunRequest(thread_id=thread, owner_id=owner, workflow="chat", input={}, after_seconds=3600)
    ids.append(str(await runtime.engine.start(later)))
    assert {"platform.threads", "platform.runs", "platform.run_events", *(f"checkpoints.{t}" for t in TABLES)} <= (
        await asyncio.to_thread(naming, database_url, ids)
    )
    async with runtime.system.pool.connection() as connection:
        await connection.execute("DELETE FROM platform.threads WHERE id = %s", (thread,))
    assert await asyncio.to_thread(naming, database_url, ids) == set()


def naming(url: str, ids: list[str]) -> set[str]:
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        pattern = "|".join(ids)
        return {
            table
            for (table,) in tables
            if connection.execute(f"SELECT FROM {table} AS t WHERE t::text ~ %s LIMIT 1", (pattern,)).rowcount
        }
