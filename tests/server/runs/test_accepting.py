"""Accepting a run: begun at once, once however often it is asked for, one at a time on a thread (X018, X019)."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.errors import Conflict, InvalidInput, NotFound
from core.settings import Settings
from server.runs import repository
from server.runs.leases import Leases
from server.runs.model import Idempotency, RunRequest, RunStatus, Strategy
from server.runtime import Runtime, open_runtime
from server.worker import running_worker
from tests.server.runs.conftest import new_owner, until, until_next
from tests.server.runs.test_engine import request


async def rows(runtime: Runtime, query: str, *parameters: Any) -> list[dict[str, Any]]:
    async with runtime.system.pool.connection() as connection:
        return await (await connection.execute(query.encode(), parameters)).fetchall()


async def status(runtime: Runtime, owner: UUID, run_id: UUID) -> RunStatus:
    return (await runtime.engine.result(owner, run_id)).status


class TestAtOnce:
    async def test_the_accepting_process_begins_without_a_job(self, runtime: Runtime, owner: UUID) -> None:
        run_id = await runtime.engine.start(request(owner, seconds=0.3))
        [run] = await rows(runtime, "SELECT status, attempt, fence FROM platform.runs")
        assert run == {"status": "running", "attempt": 1, "fence": 1}
        assert await rows(runtime, "SELECT FROM jobs.procrastinate_jobs") == []
        assert (await runtime.engine.wait(owner, run_id, 10)).status == RunStatus.success

    async def test_a_full_process_leaves_it_to_the_queue(
        self, database_url: str, settings: Settings, tmp_path: Path
    ) -> None:
        narrow = settings.model_copy(update={"worker_concurrency": 2})
        async with open_runtime(narrow, database_url) as runtime, running_worker(runtime):
            owner = await new_owner(runtime)
            runs = [await runtime.engine.start(request(owner, seconds=0.5)) for _ in range(5)]
            running = await rows(runtime, "SELECT FROM platform.runs WHERE status = 'running'")
            assert len(running) == 2
            results = [await runtime.engine.wait(owner, run, 10) for run in runs]
        assert {result.status for result in results} == {RunStatus.success}

    async def test_who_asked_may_go_away_at_once(self, runtime: Runtime, owner: UUID) -> None:
        """Accepted is accepted: a claim without an execution would be a run that nobody ends."""
        for pause in (0, 0, 0.001, 0.002, 0.004, 0.008):
            asking = asyncio.create_task(runtime.engine.start(request(owner)))
            await asyncio.sleep(pause)
            asking.cancel()
            await asyncio.wait({asking})

        async def all_ended() -> bool:
            return not await rows(runtime, "SELECT FROM platform.runs WHERE status IN ('pending', 'running')")

        await until(all_ended)
        ended = await rows(runtime, "SELECT status FROM platform.runs")
        assert {row["status"] for row in ended} <= {"success"}

    async def test_a_claim_that_nobody_executes_is_given_up(self, idle: Runtime, owner: UUID) -> None:
        """The commit of a claim whose answer got lost, with a restart of the database, say."""
        async with running_worker(idle) as executor:
            async with idle.database.pool.connection() as connection:
                asked = request(owner)
                accepted = await repository.start(connection, uuid4(), asked, executor.worker_id)
            assert accepted.outcome == "claimed"
            leases = Leases(idle.system.pool, idle.jobs, executor, executor.worker_id, beat_seconds=2, dead_seconds=6)
            await leases._beat()
            [run] = await rows(idle, "SELECT worker_id FROM platform.runs")
            assert run["worker_id"] == executor.worker_id
            await leases._beat()
            assert accepted.run_id is not None
            result = await idle.engine.wait(owner, accepted.run_id, 10)
            assert result.status == RunStatus.success


class TestDoubleTexting:
    async def five(self, runtime: Runtime, asked: RunRequest, strategy: Strategy) -> list[Any]:
        wanted = replace(asked, strategy=strategy)
        return await asyncio.gather(*(runtime.engine.start(wanted) for _ in range(5)), return_exceptions=True)

    async def test_reject(self, runtime: Runtime, owner: UUID) -> None:
        started = await self.five(runtime, request(owner, seconds=0.3), "reject")
        assert sorted(type(one).__name__ for one in started) == ["Conflict"] * 4 + ["UUID"]

    async def test_enqueue(self, runtime: Runtime, owner: UUID, tmp_path: Path) -> None:
        log = tmp_path / "log"
        started = await self.five(runtime, request(owner, seconds=0.1, log=str(log)), "enqueue")
        results = [await runtime.engine.wait(owner, run, 20) for run in started]
        assert {result.status for result in results} == {RunStatus.success}
        # One after another, each on what the one before left, and none in between.
        assert log.read_text().split() == ["first", "slow", "last"] * 5
        assert max(len((result.output or {})["steps"]) for result in results) == 15

    async def test_what_waits_in_line_needs_no_job(self, runtime: Runtime, owner: UUID) -> None:
        asked = replace(request(owner, seconds=0.2), strategy="enqueue")
        runs = [await runtime.engine.start(asked) for _ in range(3)]
        assert await rows(runtime, "SELECT FROM jobs.procrastinate_jobs") == []
        for run in runs:
            assert (await runtime.engine.wait(owner, run, 10)).status == RunStatus.success

    async def test_interrupt(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner, seconds=0.5)
        started = await self.five(runtime, asked, "interrupt")
        results = [await runtime.engine.wait(owner, run, 20) for run in started]
        assert sorted(result.status for result in results) == ["interrupted"] * 4 + ["success"]

    async def test_interrupt_keeps_what_was_done(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner, seconds=30)
        first = await runtime.engine.start(asked)

        # A step may be told before it is committed; what is kept is what was committed.
        await until_next(runtime, asked, "slow")
        second = await runtime.engine.start(replace(asked, input={"seconds": 0}, strategy="interrupt"))
        result = await runtime.engine.wait(owner, second, 10)
        assert await status(runtime, owner, first) == RunStatus.interrupted
        assert result.output == {"seconds": 0, "steps": ["first", "first", "slow", "last"]}

    async def test_rollback(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner)
        await runtime.engine.wait(owner, await runtime.engine.start(asked), 10)
        doomed = await runtime.engine.start(replace(asked, input={"seconds": 30}))
        async for event in runtime.engine.stream(owner, doomed):
            if event.event == "updates":
                break
        follower = await runtime.engine.start(replace(asked, input={"seconds": 0}, strategy="rollback"))
        result = await runtime.engine.wait(owner, follower, 10)
        assert result.output == {"seconds": 0, "steps": ["first", "slow", "last"] * 2}
        with pytest.raises(NotFound):
            await runtime.engine.result(owner, doomed)

    async def test_five_rollbacks_leave_one(self, runtime: Runtime, owner: UUID) -> None:
        started = await self.five(runtime, request(owner, seconds=0.5), "rollback")

        async def one_is_left() -> bool:
            return [row["status"] for row in await rows(runtime, "SELECT status FROM platform.runs")] == ["success"]

        await until(one_is_left)
        [left] = await rows(runtime, "SELECT id FROM platform.runs")
        assert left["id"] in started
        result = await runtime.engine.result(owner, left["id"])
        assert (result.output or {})["steps"] == ["first", "slow", "last"]


class TestCancel:
    async def test_with_rollback_the_thread_is_as_before(self, runtime: Runtime, owner: UUID) -> None:
        """Also what it waited for: the answer that was taken back can be given again."""
        asked = request(owner, "approval")
        await runtime.engine.wait(owner, await runtime.engine.start(asked), 10)
        before = await runtime.engine.state(owner, asked.thread_id)
        other = await runtime.engine.start(replace(asked, workflow="approval", input={"seconds": 0}))
        await runtime.engine.wait(owner, other, 10)
        async with runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE platform.runs SET status = 'pending', attempt = 0 WHERE id = %s", (other,))
        assert await runtime.engine.cancel(owner, other, "rollback") is True
        with pytest.raises(NotFound):
            await runtime.engine.result(owner, other)
        [thread] = await rows(runtime, "SELECT status, interrupts FROM platform.threads")
        assert thread["status"] == "interrupted"
        assert list(thread["interrupts"]) == [item["id"] for item in before.interrupts]

    async def test_one_that_lost_its_worker_ends_where_it_is_taken_up(self, idle: Runtime, owner: UUID) -> None:
        run_id = await idle.engine.start(request(owner, seconds=30))
        async with idle.system.pool.connection() as connection:
            await connection.execute(
                "UPDATE platform.runs SET status = 'running', worker_id = %s, attempt = 1", (uuid4(),)
            )
        assert await idle.engine.cancel(owner, run_id) is True
        async with running_worker(idle):
            assert (await idle.engine.wait(owner, run_id, 10)).status == RunStatus.interrupted


class TestResume:
    async def paused(self, runtime: Runtime, owner: UUID, log: Path) -> tuple[RunRequest, str]:
        asked = request(owner, "approval", log=str(log))
        result = await runtime.engine.wait(owner, await runtime.engine.start(asked), 10)
        [interrupt_id] = result.interrupts
        return asked, interrupt_id

    async def test_five_answers_at_once_are_one(self, runtime: Runtime, owner: UUID, tmp_path: Path) -> None:
        asked, interrupt_id = await self.paused(runtime, owner, tmp_path / "log")
        answers = [runtime.engine.resume(asked, number, interrupt_id) for number in range(5)]
        resumed = await asyncio.gather(*answers, return_exceptions=True)
        assert sorted(type(one).__name__ for one in resumed) == ["Conflict"] * 4 + ["UUID"]
        [run_id] = [one for one in resumed if isinstance(one, UUID)]
        result = await runtime.engine.wait(owner, run_id, 10)
        assert (result.output or {})["answer"] == resumed.index(run_id)
        assert (tmp_path / "log").read_text().split() == ["first", "last"]

    async def test_an_answer_to_another_question(self, runtime: Runtime, owner: UUID, tmp_path: Path) -> None:
        asked, interrupt_id = await self.paused(runtime, owner, tmp_path / "log")
        with pytest.raises(Conflict):
            await runtime.engine.resume(asked, "yes", "f" * 32)
        run_id = await runtime.engine.resume(asked, "yes", interrupt_id)
        assert (await runtime.engine.wait(owner, run_id, 10)).status == RunStatus.success
        with pytest.raises(Conflict):
            await runtime.engine.resume(asked, "again", interrupt_id)

    async def test_an_answer_makes_no_thread(self, runtime: Runtime, owner: UUID) -> None:
        with pytest.raises(NotFound):
            await runtime.engine.resume(request(owner, "approval"), "yes")
        assert await rows(runtime, "SELECT FROM platform.threads") == []

    async def test_a_stranger_answers_nothing(self, runtime: Runtime, owner: UUID, tmp_path: Path) -> None:
        asked, interrupt_id = await self.paused(runtime, owner, tmp_path / "log")
        stranger = await new_owner(runtime)
        with pytest.raises(NotFound):
            await runtime.engine.resume(replace(asked, owner_id=stranger), "yes", interrupt_id)


class TestAskingTwice:
    KEY = Idempotency("key-1", b"a" * 32)

    async def test_five_at_once_are_one_run(self, runtime: Runtime, owner: UUID) -> None:
        """Each on a thread of its own, as a stateless request would be."""
        asked = [replace(request(owner, seconds=0.2), idempotency=self.KEY) for _ in range(5)]
        started = await asyncio.gather(*(runtime.engine.start(one) for one in asked))
        assert len(set(started)) == 1
        assert len(await rows(runtime, "SELECT FROM platform.runs")) == 1
        assert len(await rows(runtime, "SELECT FROM platform.threads")) == 1
        await runtime.engine.wait(owner, started[0], 10)
        assert await runtime.engine.start(asked[4]) == started[0]

    async def test_a_key_is_one_requests(self, runtime: Runtime, owner: UUID) -> None:
        await runtime.engine.start(replace(request(owner), idempotency=self.KEY))
        with pytest.raises(InvalidInput):
            await runtime.engine.start(replace(request(owner), idempotency=Idempotency("key-1", b"b" * 32)))

    async def test_a_key_is_one_owners(self, runtime: Runtime, owner: UUID) -> None:
        first = await runtime.engine.start(replace(request(owner), idempotency=self.KEY))
        other = await new_owner(runtime)
        assert await runtime.engine.start(replace(request(other), idempotency=self.KEY)) != first

    async def test_a_key_lives_a_day(self, runtime: Runtime, owner: UUID) -> None:
        first = await runtime.engine.start(replace(request(owner), idempotency=self.KEY))
        for hours, same in ((23, True), (25, False)):
            async with runtime.system.pool.connection() as connection:
                await connection.execute(
                    "UPDATE platform.idempotency_keys SET created_at = now() - make_interval(hours => %s)", (hours,)
                )
            again = await runtime.engine.start(replace(request(owner), idempotency=self.KEY))
            assert (again == first) is same

    async def test_a_refused_request_uses_no_key_up(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner, seconds=0.3)
        first = await runtime.engine.start(asked)
        with pytest.raises(Conflict):
            await runtime.engine.start(replace(asked, idempotency=self.KEY))
        await runtime.engine.wait(owner, first, 10)
        assert await runtime.engine.start(replace(asked, idempotency=self.KEY)) != first

    async def test_a_run_that_failed_is_no_answer_to_give_again(self, runtime: Runtime, owner: UUID) -> None:
        asked = replace(request(owner, fail=True), idempotency=self.KEY)
        first = await runtime.engine.start(asked)
        assert (await runtime.engine.wait(owner, first, 10)).status == RunStatus.error
        second = await runtime.engine.start(replace(asked, input={"fail": False}))
        assert second != first
        assert (await runtime.engine.wait(owner, second, 10)).status == RunStatus.success
        assert await runtime.engine.start(asked) == second
