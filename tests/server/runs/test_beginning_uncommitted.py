"""A run does its first step while its acceptance waits for the disk, and nobody is told before it is there (X016)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from core.errors import Conflict
from db import lane
from db.url import for_psycopg
from server.runs import repository
from server.runs.model import RunStatus, Strategy
from server.runtime import Runtime
from tests.kit.waiting import until
from tests.server.runs.test_engine import request

# A commit waits as long as somebody holds the lock: a disk that takes its time.
SLOW_DISK = """
CREATE FUNCTION public.wait_for_the_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  WHILE EXISTS (SELECT FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
                WHERE l.locktype = 'advisory' AND l.objid = 4711 AND d.datname = current_database()) LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow_disk AFTER INSERT ON platform.runs DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.wait_for_the_disk();
"""


@asynccontextmanager
async def slow_disk(url: str) -> AsyncIterator[AsyncConnection]:
    """Let no acceptance be committed as long as the connection holds its lock."""
    async with await AsyncConnection.connect(for_psycopg(url), autocommit=True) as connection:
        await connection.execute(SLOW_DISK.encode())
        try:
            await connection.execute("SELECT pg_advisory_lock(4711)")
            yield connection
        finally:
            await connection.execute("SELECT pg_advisory_unlock_all()")
            await connection.execute("DROP FUNCTION public.wait_for_the_disk() CASCADE")


async def break_lane(connection: AsyncConnection) -> None:
    """Lose what is just being committed, as with a PostgreSQL that is killed."""
    cursor = await connection.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%start_run%'"
        " AND state = 'active' AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    assert await cursor.fetchone() == (1,)


async def release(connection: AsyncConnection) -> None:
    await connection.execute("SELECT pg_advisory_unlock(4711)")


def steps_of(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


async def test_a_step_is_done_and_nobody_is_told(
    runtime: Runtime, owner: UUID, database_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "did"
    async with slow_disk(database_url) as disk:
        starting = asyncio.create_task(runtime.engine.start(request(owner, log=str(log))))
        await until(lambda: steps_of(log) == ["first", "slow", "last"])
        assert not starting.done()
        cursor = await disk.execute("SELECT count(*) FROM platform.runs")
        assert await cursor.fetchone() == (0,)
        await release(disk)
        result = await runtime.engine.wait(owner, await starting, 10)
    assert result.status == RunStatus.success
    assert steps_of(log) == ["first", "slow", "last"]


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_what_may_undo_another_run_is_committed_first(
    runtime: Runtime, owner: UUID, database_url: str, tmp_path: Path, strategy: Strategy
) -> None:
    log = tmp_path / "did"
    async with slow_disk(database_url) as disk:
        asked = replace(request(owner, log=str(log)), strategy=strategy)
        starting = asyncio.create_task(runtime.engine.start(asked))
        await asyncio.sleep(0.3)
        assert steps_of(log) == []
        await release(disk)
        assert (await runtime.engine.wait(owner, await starting, 10)).status == RunStatus.success


async def test_an_acceptance_that_is_lost_is_made_again(
    runtime: Runtime, owner: UUID, database_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "did"
    async with slow_disk(database_url) as disk:
        starting = asyncio.create_task(runtime.engine.start(request(owner, log=str(log))))
        await until(lambda: steps_of(log) == ["first", "slow", "last"])
        await break_lane(disk)
        await release(disk)
        result = await runtime.engine.wait(owner, await starting, 10)
    assert result.status == RunStatus.success
    assert steps_of(log) == ["first", "slow", "last"]


async def test_a_run_whose_thread_another_got_meanwhile_is_refused_and_saves_nothing(
    runtime: Runtime, owner: UUID, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_RECONNECT_SECONDS", 1.0)
    log, thread_id, other = tmp_path / "did", uuid4(), uuid4()
    async with slow_disk(database_url) as disk:
        asked = request(owner, thread_id=thread_id, log=str(log), seconds=30)
        starting = asyncio.create_task(runtime.engine.start(asked))
        await until(lambda: steps_of(log) == ["first"])
        await break_lane(disk)
        await release(disk)
        async with runtime.system.pool.connection() as connection:
            accepted = await repository.start(connection, other, request(owner, thread_id=thread_id), uuid4())
            # The same fence as that of the run that began too early.
            assert (accepted.outcome, accepted.fence) == ("claimed", 1)
        with pytest.raises(Conflict):
            await starting
        executor = runtime.engine.executor
        assert executor is not None
        await until(lambda: not executor._tasks)
        found = await disk.execute(
            "SELECT (SELECT count(*) FROM checkpoints.checkpoints WHERE thread_id = %s),"
            " (SELECT array_agg(id) FROM platform.runs WHERE thread_id = %s)",
            (str(thread_id), thread_id),
        )
        assert await found.fetchone() == (0, [other])


async def test_an_acceptance_that_fails_ends_what_was_begun(
    runtime: Runtime, owner: UUID, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_PATIENCE_SECONDS", 0.0)
    log = tmp_path / "did"
    async with slow_disk(database_url) as disk:
        starting = asyncio.create_task(runtime.engine.start(request(owner, log=str(log), seconds=30)))
        await until(lambda: steps_of(log) == ["first"])
        await break_lane(disk)
        await release(disk)
        with pytest.raises(psycopg.OperationalError):
            await starting
        executor = runtime.engine.executor
        assert executor is not None
        await until(lambda: not executor._tasks)


async def test_a_commit_of_a_run_that_does_not_have_the_thread_is_refused(idle: Runtime, owner: UUID) -> None:
    asked, holder = request(owner), uuid4()
    nothing = [None] * 4
    async with idle.system.pool.connection() as connection:
        accepted = await repository.start(connection, holder, asked, uuid4())
        assert accepted.fence == 1
        for run_id, outcome in ((holder, "kept"), (uuid4(), "lost")):
            cursor = await connection.execute(
                "SELECT platform.commit_run(%s, 1, %s, %s, %s, %s, %s, %s, NULL, NULL) AS outcome",
                (asked.thread_id, run_id, owner, *nothing),
            )
            assert await cursor.fetchone() == {"outcome": outcome}
