"""What meets retention at the same moment, or comes after it; a deleted thread leaves no row (X024, issue 4)."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import SQL

from checkpoints.saver import PooledSaver
from server.runs import repository
from server.runs.model import Idempotency, RunOptions, RunRequest, RunStatus
from server.runs.runs import Runs, Started
from server.runs.thread_states import Place
from server.runtime import Runtime
from tests.kit import catalogue
from tests.kit.people import SetClock
from tests.server.runs import test_retention
from tests.server.runs.test_retention import histories, retention, rows, run, say

settings, runtime, owner, clock = (
    test_retention.settings,
    test_retention.runtime,
    test_retention.owner,
    test_retention.clock,
)


async def test_a_fork_from_a_deleted_checkpoint_fails(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    """It was there when the request was looked at; LangGraph would begin with an empty state."""
    thread = uuid4()
    await say(runtime, owner, thread, "a")
    old = (await histories(runtime).history(owner, thread))[-1]["checkpoint_id"]
    await say(runtime, owner, thread, "b")
    await retention(runtime, clock, checkpoints=1).sweep()
    place = dict(Place(checkpoint_id=old).config(thread)["configurable"])
    forked = RunRequest(
        thread_id=thread, owner_id=owner, workflow="chat", input={}, options=RunOptions(checkpoint=place)
    )
    result = await runtime.engine.wait(owner, await runtime.engine.start(forked), 10)
    assert (result.status, result.error_code) == (RunStatus.error, "NO_SUCH_CHECKPOINT")
    assert (await histories(runtime).read(owner, thread))["values"]["turn"] == 2


async def test_a_history_that_is_deleted_while_it_is_read(
    runtime: Runtime, owner: UUID, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = uuid4()
    for number in range(20):
        await say(runtime, owner, thread, str(number))
    # The answer that goes is in no later state.
    await say(runtime, owner, thread, "forget 39")
    read = PooledSaver._items

    async def swept_between(saver: PooledSaver, found: Any) -> Any:
        await retention(runtime, clock, checkpoints=1).sweep()
        return await read(saver, found)

    monkeypatch.setattr(PooledSaver, "_items", swept_between)
    states = await histories(runtime).history(owner, thread, limit=1000)
    assert states[0]["values"]["turn"] == 21
    assert len(states) < 3 * 21


async def test_what_a_run_left_is_told_as_deleted(runtime: Runtime, owner: UUID, clock: SetClock) -> None:
    thread = uuid4()
    run_id = await say(runtime, owner, thread, "a")
    await say(runtime, owner, thread, "b")
    await retention(runtime, clock, checkpoints=1).sweep()
    # Not what this process remembers of it.
    told, _ = await Runs(runtime)._known_ending(Started(owner, thread, run_id))
    assert told["__error__"]["error"] == "STATE_DELETED"
    assert json.dumps(told)


async def test_no_row_names_a_deleted_thread(runtime: Runtime, owner: UUID, database_url: str) -> None:
    thread, other = uuid4(), uuid4()
    runs = [await run(runtime, owner, thread, "steps", {}, idempotency=Idempotency("k", b"-"))]
    await run(runtime, owner, other, "steps", {})
    await add(
        runtime,
        "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, args)"
        " VALUES ('later', 'none', jsonb_build_object('run_id', %s::text))",
        str(runs[0]),
    )
    await add(
        runtime,
        "WITH a AS (INSERT INTO public.agents (user_id, name) VALUES (%s, 'a') RETURNING id, user_id)"
        " INSERT INTO public.call_records (user_id, agent_id, start_time, summary_thread_id)"
        " SELECT user_id, id, now(), %s FROM a",
        owner,
        thread,
    )
    await add(runtime, "INSERT INTO checkpoints.list_items VALUES (%s, '', 'm', 1, 'null', '')", str(thread))
    ids = [str(thread), *map(str, runs)]
    named = await asyncio.to_thread(mentions, database_url, ids)
    assert named >= {"checkpoints.list_items", "jobs.procrastinate_jobs", "platform.run_events", "public.call_records"}
    async with runtime.database.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.user_id', %s, true)", (str(owner),))
        assert await repository.delete_thread(connection, thread, owner)
    assert await asyncio.to_thread(mentions, database_url, ids) == set()
    assert len(await rows(runtime, "SELECT FROM public.call_records")) == 1
    assert "checkpoints.checkpoints" in await asyncio.to_thread(mentions, database_url, [str(other)])


async def add(runtime: Runtime, statement: str, *parameters: Any) -> None:
    async with runtime.system.pool.connection() as connection:
        await connection.execute(statement.encode(), parameters)


def mentions(url: str, ids: list[str]) -> set[str]:
    """The tables of which a row holds one of these ids anywhere."""
    with psycopg.connect(url) as connection:
        return {
            table.name
            for table in catalogue.tables(connection)
            if connection.execute(
                SQL("SELECT 1 FROM {} AS t WHERE to_jsonb(t)::text LIKE ANY(%s) LIMIT 1").format(table.identifier),
                ([f"%{id_}%" for id_ in ids],),
            ).fetchone()
        }
