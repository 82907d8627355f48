"""Streams through the real SDK: each mode by itself; taken up again; nothing that was not asked for."""

import json
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx

from server.runs.model import EventId
from tests.kit.cases import together
from tests.server.runs.protocol.conftest import Person, refusal

HELLO = {"messages": [{"role": "user", "content": "hello"}]}


async def streamed(me: Person, graph: str, thread: str | None = None, **asked: Any) -> list[tuple[str, Any]]:
    """The events of a new run, without `metadata`, which is always the first."""
    thread = thread or (await me.sdk.threads.create())["thread_id"]
    asked.setdefault("input", {})
    parts = [(part.event, part.data) async for part in me.sdk.runs.stream(thread, graph, **asked)]
    name, first = parts.pop(0)
    assert (name, set(first), first["attempt"]) == ("metadata", {"run_id", "attempt"}, 1)
    return parts


async def stored(me: Person) -> list[str]:
    """The names of all events that are kept."""
    async with me.runtime.system.pool.connection() as connection:
        cursor = await connection.execute("SELECT event FROM platform.run_events ORDER BY fence, seq")
        return [row["event"] for row in await cursor.fetchall()]


class TestModes:
    async def test_values(self, me: Person) -> None:
        parts = await streamed(me, "steps", input={"seconds": 0})
        assert [name for name, _ in parts] == ["values"] * 4
        assert parts[-1][1] == {"seconds": 0, "steps": ["first", "slow", "last"]}

    async def test_values_end_with_the_interrupt(self, me: Person) -> None:
        parts = await streamed(me, "approval")
        [interrupt] = parts[-1][1]["__interrupt__"]
        assert set(interrupt) == {"id", "value"}
        assert interrupt["value"] == {"question": "go on?"}

    async def test_updates(self, me: Person) -> None:
        parts = await streamed(me, "approval", stream_mode="updates")
        assert parts[0] == ("updates", {"first": {"steps": ["first"]}})
        [interrupt] = parts[1][1]["__interrupt__"]
        assert interrupt["value"] == {"question": "go on?"}

    async def test_custom(self, me: Person) -> None:
        parts = await streamed(me, "steps", stream_mode="custom")
        assert parts == [("custom", {"type": "note", "text": "first"})]

    async def test_messages_tuple(self, me: Person) -> None:
        parts = await streamed(me, "talking", input=HELLO, stream_mode="messages-tuple")
        assert {name for name, _ in parts} == {"messages"}
        assert "".join(chunk["content"] for _, (chunk, _) in parts) == "one two three"
        chunk, metadata = parts[0][1]
        assert chunk["type"] == "AIMessageChunk"
        assert metadata["langgraph_node"] == "talk"
        assert len({chunk["id"] for _, (chunk, _) in parts}) == 1

    async def test_messages_grow(self, me: Person) -> None:
        parts = await streamed(me, "talking", input=HELLO, stream_mode="messages")
        assert parts[0][0] == "messages/metadata"
        assert {name for name, _ in parts[1:]} == {"messages/partial", "messages/complete"}
        texts = [data[0]["content"] for name, data in parts if name == "messages/partial"]
        assert texts[-1] == "one two three"
        assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
        [complete] = [data for name, data in parts if name == "messages/complete"]
        assert (complete[0]["content"], complete[0]["type"]) == ("one two three", "ai")
        assert list(parts[0][1]) == [complete[0]["id"]]

    async def test_tasks(self, me: Person) -> None:
        parts = await streamed(me, "steps", stream_mode="tasks")
        assert [data["name"] for _, data in parts if "result" in data] == ["first", "slow", "last"]

    async def test_checkpoints(self, me: Person) -> None:
        thread = (await me.sdk.threads.create())["thread_id"]
        parts = await streamed(me, "steps", thread, stream_mode="checkpoints")
        head = await me.sdk.threads.get_state(thread)
        assert parts[-1][1]["checkpoint"] == head["checkpoint"]
        assert parts[-1][1]["values"] == head["values"]
        assert "callbacks" not in json.dumps(parts)

    async def test_debug(self, me: Person) -> None:
        parts = await streamed(me, "steps", stream_mode="debug")
        assert {data["type"] for _, data in parts} == {"checkpoint", "task", "task_result"}

    async def test_events(self, me: Person) -> None:
        parts = await streamed(me, "talking", input=HELLO, stream_mode="events")
        assert {name for name, _ in parts} == {"events"}
        kinds = [data["event"] for _, data in parts]
        assert (kinds[0], kinds[-1]) == ("on_chain_start", "on_chain_end")
        assert "on_chat_model_stream" in kinds
        # The state and the updates that the engine itself reads were not asked for.
        root = parts[0][1]["run_id"]
        assert not [data for _, data in parts if data["event"] == "on_chain_stream" and data["run_id"] == root]

    async def test_events_beside_others(self, me: Person) -> None:
        parts = await streamed(me, "approval", stream_mode=["events", "values"])
        assert {name for name, _ in parts} == {"events", "values"}
        assert "__interrupt__" in [data for name, data in parts if name == "values"][-1]

    @together("mode", ["tasks", "checkpoints", "debug", "events", "updates", "values"])
    async def test_a_failure_tells_no_text_of_its_own(self, me: Person, mode: Any) -> None:
        parts = await streamed(me, "steps", input={"fail": True}, stream_mode=mode)
        assert parts[-1] == (
            "error",
            {"error": "INTERNAL", "message": "The run failed because of an internal error."},
        )
        assert "secret" not in json.dumps(parts)

    async def test_several(self, me: Person) -> None:
        parts = await streamed(me, "steps", stream_mode=["updates", "custom", "updates"])
        assert [name for name, _ in parts] == ["custom", "updates", "updates", "updates"]

    async def test_an_unknown_one(self, me: Person) -> None:
        body = {"assistant_id": "steps", "input": {}, "stream_mode": ["values", "everything"]}
        assert refusal(await me.http.post("/runs/stream", json=body))[0] == 422


class TestSubgraphs:
    async def test_they_have_their_namespace(self, me: Person) -> None:
        parts = await streamed(me, "nested", stream_mode=["updates", "values"], stream_subgraphs=True)
        inner = [name for name, _ in parts if "|" in name]
        assert {name.partition("|")[0] for name in inner} == {"updates", "values"}
        assert len({name.partition("|")[2] for name in inner}) == 1
        assert inner[0].partition("|")[2].startswith("inner:")
        assert "__interrupt__" in parts[-1][1]

    async def test_not_without_being_asked_for(self, me: Person) -> None:
        parts = await streamed(me, "nested", stream_mode=["updates", "values"])
        assert not [name for name, _ in parts if "|" in name]

    async def test_their_messages(self, me: Person) -> None:
        parts = await streamed(me, "wrapped", input=HELLO, stream_mode="messages-tuple", stream_subgraphs=True)
        assert {name.partition(":")[0] for name, _ in parts} == {"messages|inner"}
        # Without them there is only what the node that holds the subgraph gave in the end.
        [(name, (message, _))] = await streamed(me, "wrapped", input=HELLO, stream_mode="messages-tuple")
        assert (name, message["type"], message["content"]) == ("messages", "ai", "one two three")


class TestWire:
    async def test_frames(self, me: Person) -> None:
        response = await me.http.post("/runs/stream", json={"assistant_id": "steps", "input": {}})
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-store"
        assert "content-length" not in response.headers
        frames = response.text.removesuffix("\n\n").split("\n\n")
        for frame in frames:
            event, data, name = frame.split("\n")
            assert event.startswith("event: ")
            json.loads(data.removeprefix("data: "))
            EventId.parse(name.removeprefix("id: "))
        assert frames[0].startswith("event: metadata\n")

    async def test_only_what_was_asked_for_is_kept(self, me: Person) -> None:
        thread = (await me.sdk.threads.create())["thread_id"]
        await me.sdk.runs.wait(thread, "steps", input={})
        assert await stored(me) == ["metadata"]
        await streamed(me, "steps", thread, stream_mode="custom")
        assert await stored(me) == ["metadata", "metadata", "custom"]
        async with me.runtime.system.pool.connection() as connection:
            cursor = await connection.execute("SELECT output FROM platform.runs")
            assert [row["output"] for row in await cursor.fetchall()] == [None, None]


class TestJoin:
    async def lines(self, me: Person, path: str, **headers: str) -> list[dict[str, str]]:
        response = await me.http.get(path, headers=headers)
        assert response.status_code == 200
        frames = response.text.removesuffix("\n\n").split("\n\n") if response.text else []
        return [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in frames]

    async def finished(self, me: Person, modes: Any) -> tuple[str, str]:
        thread = (await me.sdk.threads.create())["thread_id"]
        run = await me.sdk.runs.create(thread, "talking", input=HELLO, stream_mode=modes)
        await me.sdk.runs.join(thread, run["run_id"])
        return thread, run["run_id"]

    async def test_at_any_event(self, me: Person) -> None:
        thread, run = await self.finished(me, ["values", "messages-tuple"])
        path = f"/threads/{thread}/runs/{run}/stream"
        every = await self.lines(me, path)
        assert every == await self.lines(me, path, **{"Last-Event-ID": "-1"})
        for position, event in enumerate(every):
            assert await self.lines(me, path, **{"Last-Event-ID": event["id"]}) == every[position + 1 :]

    async def test_while_it_runs(self, me: Person) -> None:
        thread = (await me.sdk.threads.create())["thread_id"]
        run = await me.sdk.runs.create(thread, "steps", input={"seconds": 0.5}, stream_mode="updates")
        parts = [part async for part in me.sdk.runs.join_stream(thread, run["run_id"], last_event_id="-1")]
        assert [part.event for part in parts] == ["metadata", "updates", "updates", "updates"]
        again = [part async for part in me.sdk.runs.join_stream(thread, run["run_id"], last_event_id=parts[1].id)]
        assert again == parts[2:]

    async def test_some_modes(self, me: Person) -> None:
        thread, run = await self.finished(me, ["values", "messages-tuple", "messages"])
        for mode, names in (
            ("values", {"values"}),
            ("messages-tuple", {"messages"}),
            ("messages", {"messages/metadata", "messages/partial", "messages/complete"}),
            ("custom", set[str]()),
        ):
            parts = me.sdk.runs.join_stream(thread, run, stream_mode=mode, last_event_id="-1")
            assert {part.event async for part in parts} == names | {"metadata"}

    async def test_bad_input(self, me: Person) -> None:
        thread, run = await self.finished(me, "values")
        path = f"/threads/{thread}/runs/{run}/stream"
        assert refusal(await me.http.get(path, headers={"Last-Event-ID": "abc"}))[0] == 422
        assert refusal(await me.http.get(path, params={"stream_mode": "abc"}))[0] == 422
        assert refusal(await me.http.get(path.replace(run, "abc")))[0] == 422

    async def test_a_thread_has_no_stream_of_its_own(self, me: Person, anonymous: httpx.AsyncClient) -> None:
        thread = (await me.sdk.threads.create())["thread_id"]
        assert refusal(await me.http.get(f"/threads/{thread}/stream"))[0] == 501
        assert refusal(await anonymous.get(f"/threads/{UUID(int=0)}/stream"))[0] == 401
