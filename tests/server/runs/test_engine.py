"""The run engine's first promises: accepted means executed, streamed in order, resumed once, owned."""

import asyncio
import io
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from checkpoints.heads import HeadCache
from checkpoints.run_saver import RunSaver
from checkpoints.saver import FenceLost, PooledSaver
from core import logging
from core.errors import Conflict, NotFound
from core.settings import Settings
from providers.usage import Usage, UsageCollector
from server.runs import leases
from server.runs.execution import RUN_JOB
from server.runs.feed import Feed
from server.runs.model import Claim, Event, EventId, RunRequest, RunStatus
from server.runs.outcome import GIVEN_BACK
from server.runs.writer import RunWriter
from server.runtime import Runtime, open_runtime
from server.worker import running_worker
from tests.kit.waiting import known
from tests.server.runs.conftest import new_owner, until_next


def request(owner: UUID, workflow: str = "steps", thread_id: UUID | None = None, **values: Any) -> RunRequest:
    return RunRequest(thread_id=thread_id or uuid4(), owner_id=owner, workflow=workflow, input=values)


async def collected(runtime: Runtime, owner: UUID, run_id: UUID, after: EventId | None = None) -> list[Event]:
    stream = runtime.engine.stream(owner, run_id, after) if after else runtime.engine.stream(owner, run_id)
    return [event async for event in stream]


class TestRun:
    async def test_it_runs_to_its_end(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner)
        run_id = await runtime.engine.start(asked)
        result = await runtime.engine.wait(owner, run_id, 10)
        assert result.status == RunStatus.success
        assert result.output == {"steps": ["first", "slow", "last"]}
        state = await runtime.engine.state(owner, asked.thread_id)
        assert (state.values, state.next) == (result.output, ())

    async def test_its_output_is_what_the_graph_declares(self, runtime: Runtime, owner: UUID) -> None:
        run_id = await runtime.engine.start(request(owner, "approval", log="/dev/null"))
        result = await runtime.engine.wait(owner, run_id, 10)
        assert result.output == {"log": "/dev/null", "steps": ["first"]}

    async def test_a_second_run_goes_on_from_the_first(self, runtime: Runtime, owner: UUID) -> None:
        thread_id = uuid4()
        for _ in range(2):
            run_id = await runtime.engine.start(request(owner, thread_id=thread_id))
            result = await runtime.engine.wait(owner, run_id, 10)
        assert result.output == {"steps": ["first", "slow", "last"] * 2}

    async def test_a_crash_in_a_node_shows_no_text_of_its_own(self, runtime: Runtime, owner: UUID) -> None:
        run_id = await runtime.engine.start(request(owner, fail=True))
        result = await runtime.engine.wait(owner, run_id, 10)
        assert (result.status, result.error_status, result.error_code) == (RunStatus.error, 500, "INTERNAL")
        events = await collected(runtime, owner, run_id)
        assert events[-1].event == "error"
        assert "secret" not in str([result, events])

    async def test_one_run_at_a_time_on_a_thread(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner, seconds=0.5)
        started = await asyncio.gather(*(runtime.engine.start(asked) for _ in range(5)), return_exceptions=True)
        runs = [run for run in started if isinstance(run, UUID)]
        assert len(runs) == 1
        assert all(isinstance(refused, Conflict) for refused in started if refused not in runs)
        result = await runtime.engine.wait(owner, runs[0], 10)
        assert result.output is not None
        assert result.output["steps"] == ["first", "slow", "last"]

    async def test_many_threads_side_by_side(self, runtime: Runtime, owner: UUID) -> None:
        runs = [await runtime.engine.start(request(owner, seconds=0.2)) for _ in range(40)]
        results = await asyncio.gather(*(runtime.engine.wait(owner, run, 20) for run in runs))
        assert {result.status for result in results} == {RunStatus.success}

    async def test_wait_ends_with_its_timeout(self, runtime: Runtime, owner: UUID) -> None:
        run_id = await runtime.engine.start(request(owner, seconds=5))
        result = await runtime.engine.wait(owner, run_id, 0.2)
        assert result.status in (RunStatus.pending, RunStatus.running)
        await runtime.engine.cancel(owner, run_id)

    async def test_an_unknown_workflow(self, runtime: Runtime, owner: UUID) -> None:
        with pytest.raises(NotFound):
            await runtime.engine.start(request(owner, "nothing"))


class TestOwnership:
    async def test_a_stranger_finds_nothing(self, runtime: Runtime, owner: UUID) -> None:
        stranger = await new_owner(runtime)
        asked = request(owner)
        run_id = await runtime.engine.start(asked)
        await runtime.engine.wait(owner, run_id, 10)
        for attempt in (
            runtime.engine.result(stranger, run_id),
            runtime.engine.wait(stranger, run_id, 1),
            runtime.engine.state(stranger, asked.thread_id),
            runtime.engine.start(request(stranger, thread_id=asked.thread_id)),
            collected(runtime, stranger, run_id),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert await runtime.engine.cancel(stranger, run_id) is False
        assert await runtime.engine.delete_thread(stranger, asked.thread_id) is False

    async def test_a_thread_keeps_its_workflow(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner)
        await runtime.engine.wait(owner, await runtime.engine.start(asked), 10)
        with pytest.raises(NotFound):
            await runtime.engine.start(request(owner, "approval", asked.thread_id))


class TestStream:
    async def test_events_come_in_order_once_each(self, runtime: Runtime, owner: UUID) -> None:
        run_id = await runtime.engine.start(request(owner))
        events = await collected(runtime, owner, run_id)
        assert [event.id for event in events] == sorted({event.id for event in events})
        assert events[0].event == "metadata"
        assert events[0].data == {"run_id": str(run_id), "attempt": 1}
        assert [list(event.data) for event in events if event.event == "updates"] == [["first"], ["slow"], ["last"]]
        assert [event.data for event in events if event.event == "custom"] == [{"type": "note", "text": "first"}]

    async def test_it_can_be_taken_up_at_any_event_in_another_process(
        self, runtime: Runtime, owner: UUID, database_url: str, settings: Settings
    ) -> None:
        run_id = await runtime.engine.start(request(owner, seconds=0.2))
        events = await collected(runtime, owner, run_id)
        async with open_runtime(settings, database_url) as other:
            for number, event in enumerate(events):
                assert await collected(other, owner, run_id, event.id) == events[number + 1 :]

    async def test_another_process_is_woken_at_once(
        self, runtime: Runtime, owner: UUID, database_url: str, settings: Settings
    ) -> None:
        async with open_runtime(settings, database_url) as other:
            await asyncio.sleep(0.2)  # its listener connects
            run_id = await runtime.engine.start(request(owner, seconds=0.3))
            loop = asyncio.get_running_loop()
            begun = loop.time()
            result = await other.engine.wait(owner, run_id, 10)
            assert result.status == RunStatus.success
            # Polling alone would take a second.
            assert loop.time() - begun < 0.9

    @pytest.mark.parametrize("text", ["", "1", "a-b", "1-", "-2", "1-2-3"])
    def test_an_id_that_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="event id"):
            EventId.parse(text)

    def test_ids_are_read_as_they_are_written(self) -> None:
        assert EventId.parse(str(EventId(3, 14))) == EventId(3, 14)
        assert EventId.parse("-1") < EventId(0, 0)


class TestInterrupt:
    async def test_it_stops_and_goes_on(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner, "approval")
        result = await runtime.engine.wait(owner, await runtime.engine.start(asked), 10)
        assert result.status == RunStatus.success
        [interrupt] = result.interrupts.values()
        assert interrupt["value"] == {"question": "go on?"}
        assert (await runtime.engine.state(owner, asked.thread_id)).next == ("ask",)
        resumed = await runtime.engine.wait(owner, await runtime.engine.resume(asked, "yes"), 10)
        assert resumed.output is not None
        assert (resumed.output["answer"], resumed.output["steps"]) == ("yes", ["first", "last"])
        assert resumed.interrupts == {}

    async def test_a_finished_thread_cannot_be_resumed(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner)
        await runtime.engine.wait(owner, await runtime.engine.start(asked), 10)
        with pytest.raises(Conflict):
            await runtime.engine.resume(asked, "yes")
        with pytest.raises(NotFound):
            await runtime.engine.resume(request(owner), "yes")


class TestCancel:
    async def test_a_running_run(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner, seconds=30)
        run_id = await runtime.engine.start(asked)
        await until_next(runtime, asked, "slow")
        assert await runtime.engine.cancel(owner, run_id) is True
        result = await runtime.engine.wait(owner, run_id, 5)
        assert result.status == RunStatus.interrupted
        assert (await runtime.engine.state(owner, asked.thread_id)).next == ("slow",)
        assert await runtime.engine.cancel(owner, run_id) is False

    async def test_a_waiting_run(self, idle: Runtime, owner: UUID) -> None:
        run_id = await idle.engine.start(request(owner))
        assert await idle.engine.cancel(owner, run_id) is True
        assert (await idle.engine.wait(owner, run_id, 1)).status == RunStatus.interrupted

    async def test_from_another_process(
        self, runtime: Runtime, owner: UUID, database_url: str, settings: Settings
    ) -> None:
        run_id = await runtime.engine.start(request(owner, seconds=30))
        async with open_runtime(settings, database_url) as other:
            async for event in other.engine.stream(owner, run_id):
                if event.event == "updates":
                    break
            assert await other.engine.cancel(owner, run_id) is True
            assert (await other.engine.wait(owner, run_id, 5)).status == RunStatus.interrupted

    async def test_what_was_done_is_not_done_again(self, runtime: Runtime, owner: UUID, tmp_path: Path) -> None:
        log = tmp_path / "log"
        asked = request(owner, seconds=1, log=str(log))
        run_id = await runtime.engine.start(asked)
        async for event in runtime.engine.stream(owner, run_id):
            if event.event == "updates":
                break
        await runtime.engine.cancel(owner, run_id)
        await runtime.engine.wait(owner, run_id, 5)
        on = RunRequest(thread_id=asked.thread_id, owner_id=owner, workflow="steps")
        result = await runtime.engine.wait(owner, await runtime.engine.start(on), 10)
        assert result.status == RunStatus.success
        assert log.read_text().split() == ["first", "slow", "last"]


class TestRecovery:
    async def test_a_run_accepted_without_a_worker_waits_for_one(self, idle: Runtime, owner: UUID) -> None:
        run_id = await idle.engine.start(request(owner))
        assert (await idle.engine.wait(owner, run_id, 0.3)).status == RunStatus.pending
        async with running_worker(idle):
            assert (await idle.engine.wait(owner, run_id, 10)).status == RunStatus.success

    async def test_a_drained_run_goes_on_elsewhere(
        self, idle: Runtime, owner: UUID, tmp_path: Path, database_url: str, settings: Settings
    ) -> None:
        log = tmp_path / "log"
        async with AsyncExitStack() as first:
            await first.enter_async_context(running_worker(idle))
            run_id = await idle.engine.start(request(owner, seconds=1, log=str(log)))
            async for event in idle.engine.stream(owner, run_id):
                if event.event == "updates":
                    break
        assert (await idle.engine.result(owner, run_id)).status == RunStatus.pending
        async with open_runtime(settings, database_url) as other, running_worker(other):
            result = await other.engine.wait(owner, run_id, 10)
            events = await collected(other, owner, run_id)
        assert result.status == RunStatus.success
        assert log.read_text().split() == ["first", "slow", "last"]
        attempts = [event.data["attempt"] for event in events if event.event == "metadata"]
        assert attempts == [1, 2]

    async def test_a_dead_workers_run_is_restarted_and_given_up_after_three(self, idle: Runtime, owner: UUID) -> None:
        run_id = await idle.engine.start(request(owner))
        async with idle.system.pool.connection() as connection:
            for attempt in (1, 2, 3):
                await connection.execute(
                    "UPDATE platform.runs SET status = 'running', worker_id = %s, attempt = %s WHERE id = %s",
                    (uuid4(), attempt, run_id),
                )
                assert await leases._restart_lost(connection) == [(run_id, attempt == 3)]
        result = await idle.engine.result(owner, run_id)
        assert (result.status, result.error_code) == (RunStatus.error, "WORKER_LOST")

    async def test_a_run_whose_job_was_lost_is_found(self, idle: Runtime, owner: UUID) -> None:
        run_id = await idle.engine.start(request(owner))
        async with idle.system.pool.connection() as connection:
            await connection.execute("DELETE FROM jobs.procrastinate_jobs")
            await connection.execute("UPDATE platform.runs SET created_at = now() - interval '1 minute'")
            assert await leases._untaken(connection) == [(run_id, False)]
            await idle.jobs.enqueue(connection, RUN_JOB, run_id=str(run_id))
            assert await leases._untaken(connection) == [(run_id, True)]

    async def test_a_writer_that_was_overtaken_can_write_nothing(self, runtime: Runtime, owner: UUID) -> None:
        asked = request(owner)
        run_id = await runtime.engine.start(asked)
        await runtime.engine.wait(owner, run_id, 10)
        stale = Claim(
            run_id=run_id,
            thread_id=asked.thread_id,
            owner_id=owner,
            workflow="steps",
            request={},
            fence=0,
            attempt=1,
            restarts_input=True,
            waited=0,
        )
        writer = RunWriter(runtime.lanes, runtime.broker, stale, Feed(0, is_first_attempt=True))
        saver = RunSaver(
            PooledSaver(runtime.database.pool, runtime.serde),
            writer,
            thread_id=asked.thread_id,
            begun=known(0),
            heads=HeadCache(),
            waits=True,
        )
        head = await saver.aget_tuple({"configurable": {"thread_id": str(asked.thread_id)}})
        assert head is not None
        with pytest.raises(FenceLost):
            await saver.aput_writes(head.config, [("steps", ["late"])], "task")
        with pytest.raises(FenceLost):
            await saver.aput(
                {"configurable": {"thread_id": str(asked.thread_id), "checkpoint_ns": ""}},
                head.checkpoint,
                {},
                {},
            )
        with pytest.raises(FenceLost):
            await writer.settle()
        with pytest.raises(FenceLost):
            await writer.finish(GIVEN_BACK, [], None)


async def test_deleting_a_thread_stops_its_run_from_writing(runtime: Runtime, owner: UUID) -> None:
    asked = request(owner, seconds=0.5)
    run_id = await runtime.engine.start(asked)
    async for event in runtime.engine.stream(owner, run_id):
        if event.event == "updates":
            break
    assert await runtime.engine.delete_thread(owner, asked.thread_id) is True
    await asyncio.sleep(1)
    async with runtime.system.pool.connection() as connection:
        cursor = await connection.execute("SELECT count(*) AS n FROM checkpoints.checkpoints")
        assert await cursor.fetchone() == {"n": 0}


async def test_a_deleted_user_leaves_nothing(
    runtime: Runtime, owner: UUID, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while a run of his is executed, and with a model call to account for."""
    call = Usage(role="chat", model="m", input_tokens=1, output_tokens=1, latency_ms=1)
    monkeypatch.setattr(UsageCollector, "drain", lambda _: [call])
    run_id = await runtime.engine.start(request(owner, seconds=0.5))
    async for event in runtime.engine.stream(owner, run_id):
        if event.event == "updates":
            break
    async with runtime.system.pool.connection() as connection:
        await connection.execute("DELETE FROM auth.users WHERE id = %s", (owner,))
    await asyncio.sleep(1)
    await asyncio.to_thread(logging.flush)
    assert "run_taken_over" in log.getvalue()
    assert "run_not_finished" not in log.getvalue()
    async with runtime.system.pool.connection() as connection:
        for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
            cursor = await connection.execute(f"SELECT count(*) AS n FROM checkpoints.{table}".encode())
            assert await cursor.fetchone() == {"n": 0}
