"""Every field of a request to run: what it does, or the sentence that refuses it."""

import asyncio
import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.kit.cases import together
from tests.server.runs.conftest import until, until_next
from tests.server.runs.protocol.conftest import NOBODY, Person, refusal

HELLO = {"messages": [{"role": "user", "content": "hello"}]}


async def new(me: Person) -> str:
    return str((await me.sdk.threads.create())["thread_id"])


async def refused(me: Person, **fields: Any) -> str:
    """Check that each way to run refuses a field; give the sentence."""
    thread = await new(me)
    sentences = set()
    for path in (f"/threads/{thread}/runs", f"/threads/{thread}/runs/stream", f"/threads/{thread}/runs/wait"):
        body = {"assistant_id": "steps", "input": {}} | fields
        status, sentence = refusal(await me.http.post(path, json=body))
        assert status == 422
        sentences.add(sentence)
    assert await me.sdk.runs.list(thread) == []
    [sentence] = sentences
    return sentence


class TestInput:
    async def test_null_goes_on(self, me: Person) -> None:
        thread = await new(me)
        await me.sdk.runs.wait(thread, "steps", input={}, interrupt_before=["last"])
        values = await me.sdk.runs.wait(thread, "steps", input=None)
        assert values["steps"] == ["first", "slow", "last"]

    async def test_null_on_an_empty_thread(self, me: Person) -> None:
        response = await me.http.post(f"/threads/{await new(me)}/runs/wait", json={"assistant_id": "steps"})
        assert response.json()["__error__"]["error"] == "EMPTY_INPUT"

    @pytest.mark.parametrize("value", [{"log": "a\0b"}, {"seconds": 2**70}], ids=str)
    async def test_what_cannot_be_kept(self, me: Person, value: Any) -> None:
        await refused(me, input=value)


class TestSeenByTheGraph:
    async def seen(self, me: Person, **fields: Any) -> dict[str, Any]:
        values = await me.sdk.runs.wait(await new(me), "talking", input=HELLO, **fields)
        seen: dict[str, Any] = values["seen"]
        return seen

    async def test_metadata_and_config(self, me: Person) -> None:
        config = {
            "tags": ["blue"],
            "recursion_limit": 17,
            "configurable": {"tone": "dry"},
            "metadata": {"both": "config", "other": 1},
        }
        seen = await self.seen(me, config=config, metadata={"who": "me", "both": "run"})
        assert "blue" in seen["tags"]
        assert seen["limit"] == 17
        assert seen["configurable"]["tone"] == "dry"
        assert {"who": "me", "both": "run", "other": 1}.items() <= seen["metadata"].items()

    async def test_context(self, me: Person) -> None:
        assert (await self.seen(me, context={"style": "brief"}))["context"] == {"style": "brief"}
        assert (await self.seen(me))["context"] is None

    async def test_the_servers_own_metadata_stays(self, me: Person) -> None:
        seen = await self.seen(me, metadata={"run_id": NOBODY, "workflow": "other", "attempt": 7})
        assert (seen["metadata"]["workflow"], seen["metadata"]["attempt"]) == ("talking", 1)
        assert seen["metadata"]["run_id"] != NOBODY

    async def test_a_restart_uses_them_again(self, me: Person) -> None:
        """They are on the run's row, from where a process that takes it over reads them."""
        thread = await new(me)
        config = {"tags": ["blue"], "recursion_limit": 17, "configurable": {"tone": "dry"}}
        asked = {"config": config, "context": {"style": "brief"}, "metadata": {"who": "me"}}
        run = await me.sdk.runs.create(thread, "talking", input=HELLO, after_seconds=1, **asked)
        assert run["kwargs"]["config"] == config
        # Started by another statement than the one that accepted it.
        values = await me.sdk.runs.join(thread, run["run_id"])
        assert values["seen"]["configurable"]["tone"] == "dry"
        assert values["seen"]["context"] == {"style": "brief"}
        assert values["seen"]["metadata"]["who"] == "me"

    @together(
        "key", ["checkpoint_id", "checkpoint_ns", "checkpoint_map", "run_id", "__pregel_send", "__other", "thread_id"]
    )
    async def test_keys_that_are_the_servers(self, me: Person, key: str) -> None:
        await refused(me, config={"configurable": {key: NOBODY}})

    async def test_the_same_thread_may_be_named(self, me: Person) -> None:
        thread = await new(me)
        body = {"assistant_id": "steps", "input": {}, "config": {"configurable": {"thread_id": thread}}}
        assert (await me.http.post(f"/threads/{thread}/runs/wait", json=body)).status_code == 200

    @together(
        "config",
        [{"recursion_limit": 0}, {"recursion_limit": "x"}, {"callbacks": []}, {"tags": "blue"}, {"run_name": "x"}],
    )
    async def test_a_malformed_config(self, me: Person, config: Any) -> None:
        await refused(me, config=config)

    async def test_the_recursion_limit_holds(self, me: Person) -> None:
        body = {"assistant_id": "steps", "input": {}, "config": {"recursion_limit": 1}}
        response = await me.http.post(f"/threads/{await new(me)}/runs/wait", json=body)
        assert response.json()["__error__"]["error"] == "RECURSION_LIMIT"


class TestStops:
    @pytest.mark.parametrize(
        ("fields", "steps"),
        [
            ({"interrupt_before": ["slow"]}, ["first"]),
            ({"interrupt_before": "*"}, []),
            ({"interrupt_after": ["slow", "last"]}, ["first", "slow"]),
            ({"interrupt_after": "*"}, ["first"]),
        ],
        ids=str,
    )
    async def test_at_nodes(self, me: Person, fields: Any, steps: list[str]) -> None:
        thread = await new(me)
        values = await me.sdk.runs.wait(thread, "steps", input={}, **fields)
        assert values["steps"] == steps
        found = await me.sdk.threads.get(thread)
        assert (found["status"], found["interrupts"]) == ("interrupted", {})
        assert (await me.sdk.runs.list(thread))[0]["status"] == "success"

    @pytest.mark.parametrize("field", ["interrupt_before", "interrupt_after"])
    async def test_at_no_node(self, me: Person, field: str) -> None:
        assert "nodes" in await refused(me, **{field: ["nowhere"]})


class TestThread:
    async def test_a_missing_one(self, me: Person) -> None:
        thread = str(UUID(int=7))
        for fields in ({}, {"if_not_exists": "reject"}):
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await me.sdk.runs.wait(thread, "steps", input={}, **fields)
        values = await me.sdk.runs.wait(thread, "steps", input={}, if_not_exists="create", metadata={"a": 1})
        assert values["steps"] == ["first", "slow", "last"]
        metadata = (await me.sdk.threads.get(thread))["metadata"]
        assert (metadata["graph_id"], metadata["a"]) == ("steps", 1)


class TestLater:
    async def test_it_begins_when_its_time_has_come(self, me: Person) -> None:
        thread = await new(me)
        began = time.monotonic()
        run = await me.sdk.runs.create(thread, "steps", input={}, after_seconds=1)
        assert run["status"] == "pending"
        assert (await me.sdk.threads.get(thread))["status"] == "idle"
        # The thread is free for others until then.
        other = await me.sdk.runs.wait(thread, "steps", input={"steps": ["other"]}, multitask_strategy="reject")
        assert other["steps"] == ["other", "first", "slow", "last"]
        assert (await me.sdk.runs.get(thread, run["run_id"]))["status"] == "pending"
        values = await me.sdk.runs.join(thread, run["run_id"])
        assert values["steps"] == ["other", *["first", "slow", "last"] * 2]
        assert 1 <= time.monotonic() - began < 2.5

    async def test_it_waits_for_the_run_before_it(self, me: Person) -> None:
        thread, first = await me.start(seconds=2)
        run = await me.sdk.runs.create(thread, "steps", input={}, after_seconds=0.5)
        assert (await me.sdk.runs.join(thread, run["run_id"]))["steps"] == ["first", "slow", "last"] * 2
        assert (await me.wait(first)).status == "success"

    async def test_cancelled_before(self, me: Person) -> None:
        thread = await me.run("approval")
        run = await me.sdk.runs.create(thread, "approval", input={}, after_seconds=60)
        assert [item["run_id"] for item in await me.sdk.runs.list(thread, status="pending")] == [run["run_id"]]
        await me.sdk.runs.cancel(thread, run["run_id"], wait=True)
        assert (await me.sdk.runs.get(thread, run["run_id"]))["status"] == "interrupted"
        # The question is still there.
        assert len((await me.sdk.threads.get(thread))["interrupts"]) == 1

    @together("seconds", [-1, 10**9, "soon"])
    async def test_malformed(self, me: Person, seconds: Any) -> None:
        await refused(me, after_seconds=seconds)

    async def test_an_answer_is_given_at_once(self, me: Person) -> None:
        assert "after_seconds" in await refused(me, after_seconds=5, command={"resume": 1}, input=None)


class TestDurability:
    @pytest.mark.parametrize("fields", [{"durability": mode} for mode in ("sync", "async", "exit")])
    async def test_each_keeps_every_step(self, me: Person, fields: Any) -> None:
        thread = await new(me)
        run = asyncio.create_task(me.sdk.runs.wait(thread, "steps", input={"seconds": 1}, **fields))
        await until_next(me.runtime, me.asked(thread), "slow")
        assert not run.done()
        await run

    async def test_the_deprecated_word(self, me: Person) -> None:
        with pytest.warns(DeprecationWarning, match="checkpoint_during"):
            values = await me.sdk.runs.wait(await new(me), "steps", input={}, checkpoint_during=False)
        assert values["steps"] == ["first", "slow", "last"]
        await refused(me, checkpoint_during=True, durability="sync")


class TestRefused:
    @together(
        "fields",
        [
            {"webhook": "http://127.0.0.1/x"},
            {"feedback_keys": ["good"]},
            {"langsmith_tracer": {"project_name": "x"}},
            {"strict_resume": False},
            {"on_completion": "delete"},
            {"on_disconnect": "explode"},
            {"multitask_strategy": "explode"},
            {"if_not_exists": "explode"},
            {"durability": "explode"},
            {"stream_mode": "explode"},
            {"stream_mode": 5},
            {"context": []},
            {"metadata": "x"},
            {"command": "x"},
            {"checkpoint": "x"},
            {"anything": 1},
        ],
    )
    async def test_with_a_sentence(self, me: Person, fields: Any) -> None:
        assert next(iter(fields)) in await refused(me, **fields)

    async def test_what_says_nothing_is_accepted(self, me: Person) -> None:
        nothing: dict[str, Any] = {
            **dict.fromkeys(("webhook", "langsmith_tracer", "checkpoint", "checkpoint_id", "command", "context")),
            **dict.fromkeys(("config", "metadata", "interrupt_before", "after_seconds", "durability", "on_completion")),
            "feedback_keys": [],
            "strict_resume": True,
            "stream_resumable": True,
            "on_disconnect": "continue",
        }
        body = {"assistant_id": "steps", "input": {}} | nothing
        response = await me.http.post(f"/threads/{await new(me)}/runs/wait", json=body)
        assert response.json()["steps"] == ["first", "slow", "last"]

    async def test_a_background_run_has_nobody_to_lose(self, me: Person) -> None:
        body = {"assistant_id": "steps", "on_disconnect": "cancel"}
        assert refusal(await me.http.post(f"/threads/{await new(me)}/runs", json=body))[0] == 422


class TestStateless:
    async def threads(self, me: Person) -> int:
        return int(await me.sdk.threads.count())

    async def test_its_thread_goes_with_its_answer(self, me: Person) -> None:
        values = await me.sdk.runs.wait(None, "steps", input={})
        assert values["steps"] == ["first", "slow", "last"]
        parts = [part async for part in me.sdk.runs.stream(None, "steps", input={}, stream_mode="updates")]
        assert [part.event for part in parts] == ["metadata", "updates", "updates", "updates"]
        assert await self.threads(me) == 0

    async def test_it_may_be_kept(self, me: Person) -> None:
        await me.sdk.runs.wait(None, "steps", input={}, on_completion="keep")
        assert await self.threads(me) == 1

    async def test_in_the_background(self, me: Person) -> None:
        """Its result can be fetched for a while; then the sweep deletes it, in whatever process."""
        run = await me.sdk.runs.create(None, "steps", input={}, on_completion="delete")
        values = await me.sdk.runs.join(run["thread_id"], run["run_id"])
        assert values["steps"] == ["first", "slow", "last"]
        assert await self.threads(me) == 1
        async with me.runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE platform.threads SET updated_at = now() - interval '1 hour'")

        async def gone() -> bool:
            return await self.threads(me) == 0

        await until(gone)

    async def test_not_while_it_runs(self, me: Person) -> None:
        run = await me.sdk.runs.create(None, "steps", input={"seconds": 3})
        async with me.runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE platform.threads SET updated_at = now() - interval '1 hour'")
        assert (await me.sdk.runs.join(run["thread_id"], run["run_id"]))["steps"] == ["first", "slow", "last"]
