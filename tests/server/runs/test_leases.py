"""Who is dead: not those who were cut off from the database together with the one who looks."""

from typing import cast
from uuid import UUID, uuid4

import pytest

from server.runs.executor import Executor
from server.runs.leases import Leases
from server.runs.model import RunRequest, RunStatus
from server.runtime import Runtime

BEAT, DEAD = 2.0, 6.0


class NoExecutor:
    """A process that finds runs and takes none."""

    def executes(self, run_id: UUID) -> bool:
        return False

    def offer(self, run_id: UUID) -> None:
        pass


@pytest.fixture
def beating(idle: Runtime) -> Leases:
    return Leases(
        idle.system.pool, idle.jobs, cast("Executor", NoExecutor()), uuid4(), beat_seconds=BEAT, dead_seconds=DEAD
    )


async def _held_elsewhere(idle: Runtime, owner: UUID, worker_id: UUID) -> UUID:
    """Start a run, as if another process had claimed it."""
    run_id = await idle.engine.start(RunRequest(thread_id=uuid4(), owner_id=owner, workflow="steps", input={}))
    async with idle.system.pool.connection() as connection:
        await connection.execute(
            "UPDATE platform.runs SET status = 'running', worker_id = %s WHERE id = %s", (worker_id, run_id)
        )
    await _seen(idle, worker_id, 0.0)
    return run_id


async def _seen(idle: Runtime, worker_id: UUID, seconds_ago: float) -> None:
    async with idle.system.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO platform.workers (id, seen_at) VALUES (%(id)s, now() - make_interval(secs => %(ago)s))"
            " ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
            {"id": worker_id, "ago": seconds_ago},
        )


async def _beat_after_an_outage(idle: Runtime, beating: Leases, other: UUID) -> None:
    await beating._beat()
    assert beating._beaten_at is not None
    beating._beaten_at -= 2 * DEAD
    await _seen(idle, other, 2 * DEAD)
    await beating._beat()


async def test_after_an_outage_the_others_have_time_to_come_back(idle: Runtime, owner: UUID, beating: Leases) -> None:
    other = uuid4()
    run_id = await _held_elsewhere(idle, owner, other)
    await _beat_after_an_outage(idle, beating, other)
    assert (await idle.engine.result(owner, run_id)).status == RunStatus.running
    await beating._beat()
    await _seen(idle, other, 0.0)
    beating._patient_until = 0.0
    await beating._beat()
    assert (await idle.engine.result(owner, run_id)).status == RunStatus.running


async def test_who_does_not_come_back_after_an_outage_is_dead(idle: Runtime, owner: UUID, beating: Leases) -> None:
    other = uuid4()
    run_id = await _held_elsewhere(idle, owner, other)
    await _beat_after_an_outage(idle, beating, other)
    await beating._beat()
    assert (await idle.engine.result(owner, run_id)).status == RunStatus.running
    # However late it is: a process under load must not wait for ever.
    beating._beaten_at = 0.0
    beating._patient_until = 0.0
    await beating._beat()
    assert (await idle.engine.result(owner, run_id)).status == RunStatus.pending


async def test_without_an_outage_a_dead_process_is_found_at_once(idle: Runtime, owner: UUID, beating: Leases) -> None:
    other = uuid4()
    run_id = await _held_elsewhere(idle, owner, other)
    await _seen(idle, other, 2 * DEAD)
    await beating._beat()
    assert (await idle.engine.result(owner, run_id)).status == RunStatus.pending
