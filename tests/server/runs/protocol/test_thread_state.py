"""States through the real SDK: read now, then and in subgraphs; changed from outside, by one at a time."""

import asyncio
import base64
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError

from server.runs import state_updates
from tests.kit.cases import together
from tests.server.runs.protocol.conftest import NOBODY, Person, refusal

KEYS = {
    *("values", "next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint", "interrupts"),
    *("checkpoint_id", "parent_checkpoint_id"),
}
UNKNOWN = "1ef4a9b8-e6fb-67b1-8001-abd5184439d1"
PATHS: list[tuple[str, str, Any]] = [
    ("GET", "/state", None),
    ("GET", f"/state/{UNKNOWN}", None),
    ("POST", "/state/checkpoint", {"checkpoint": {"checkpoint_id": UNKNOWN}}),
    ("POST", "/state", {"values": {}}),
    ("POST", "/history", {}),
    ("GET", "/history", None),
]


class TestAccess:
    @together(("method", "tail", "body"), PATHS)
    async def test_needs_a_caller(self, anonymous: httpx.AsyncClient, method: str, tail: str, body: Any) -> None:
        assert refusal(await anonymous.request(method, f"/threads/{NOBODY}{tail}", json=body))[0] == 401

    @together(("method", "tail", "body"), PATHS)
    async def test_a_stranger_sees_and_changes_nothing(
        self, me: Person, other: Person, method: str, tail: str, body: Any
    ) -> None:
        thread = await me.run("approval")
        before = await me.sdk.threads.get_history(thread)
        theirs = refusal(await other.http.request(method, f"/threads/{thread}{tail}", json=body))
        nobodys = refusal(await other.http.request(method, f"/threads/{NOBODY}{tail}", json=body))
        assert theirs == nobodys == (404, "There is no such thread.")
        assert await me.sdk.threads.get_history(thread) == before

    @together(("method", "tail", "body"), PATHS)
    async def test_an_id_is_a_uuid(self, me: Person, method: str, tail: str, body: Any) -> None:
        assert refusal(await me.http.request(method, f"/threads/abc{tail}", json=body))[0] == 422


class TestRead:
    async def test_a_thread_of_nothing(self, me: Person) -> None:
        for graph in (None, "steps"):
            thread = (await me.sdk.threads.create(graph_id=graph))["thread_id"]
            state: dict[str, Any] = dict(await me.sdk.threads.get_state(thread))
            assert set(state) == KEYS
            assert (state["values"], state["next"], state["tasks"], state["checkpoint"]) == ({}, [], [], None)
            assert await me.sdk.threads.get_history(thread) == []

    async def test_an_interrupted_thread(self, me: Person) -> None:
        thread = await me.run("approval")
        state: dict[str, Any] = dict(await me.sdk.threads.get_state(thread))
        assert set(state) == KEYS
        assert (state["values"], state["next"]) == ({"steps": ["first"]}, ["ask"])
        [task] = state["tasks"]
        assert set(task) == {"id", "name", "path", "error", "interrupts", "checkpoint", "state", "result"}
        assert (task["name"], task["error"], task["state"]) == ("ask", None, None)
        assert task["interrupts"] == state["interrupts"]
        assert list(state["interrupts"][0]) == ["id", "value"]
        assert state["metadata"]["source"] == "loop"
        place = {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": state["checkpoint_id"]}
        assert state["checkpoint"] == place
        assert state["parent_checkpoint"] == place | {"checkpoint_id": state["parent_checkpoint_id"]}

    async def test_at_a_checkpoint(self, me: Person) -> None:
        thread = await me.run("approval")
        head = await me.sdk.threads.get_state(thread)
        parent = head["parent_checkpoint"]
        assert parent is not None
        before = await me.sdk.threads.get_state(thread, parent)
        assert (before["values"], before["next"]) == ({"steps": []}, ["first"])
        by_id = await me.sdk.threads.get_state(thread, checkpoint_id=parent["checkpoint_id"])
        assert by_id == before
        assert by_id["tasks"][0]["result"] == {"steps": ["first"]}
        nulls = {"checkpoint_ns": None, "checkpoint_map": None, "checkpoint_id": None}
        response = await me.http.post(f"/threads/{thread}/state/checkpoint", json={"checkpoint": nulls})
        assert response.json() == head

    async def test_in_subgraphs(self, me: Person) -> None:
        thread = await me.run("nested", steps=["in"])
        outer: dict[str, Any] = dict(await me.sdk.threads.get_state(thread))
        [task] = outer["tasks"]
        assert task["checkpoint"]["checkpoint_ns"].startswith("inner:")
        deep: dict[str, Any] = dict(await me.sdk.threads.get_state(thread, subgraphs=True))
        inner = deep["tasks"][0]["state"]
        assert (inner["values"], inner["next"]) == ({"steps": ["in", "first"]}, ["ask"])
        assert inner["checkpoint"]["checkpoint_map"]
        assert await me.sdk.threads.get_state(thread, task["checkpoint"]) == inner
        assert await me.sdk.threads.get_state(thread, inner["checkpoint"]) == inner
        history = await me.sdk.threads.get_history(thread, checkpoint=task["checkpoint"])
        assert [state["next"] for state in history] == [["ask"], ["first"], ["__start__"]]

    async def test_fields(self, me: Person) -> None:
        thread = await me.run("approval", seconds=0, log="/dev/null")
        state = await me.sdk.threads.get_state(thread, select=["values.steps", "next"])
        assert state == {"values": {"steps": ["first"]}, "next": ["ask"]}
        place = (await me.sdk.threads.get_state(thread, select=["checkpoint"]))["checkpoint"]
        assert await me.sdk.threads.get_state(thread, place, select=["next"]) == {"next": ["ask"]}
        [first] = await me.sdk.threads.get_history(thread, limit=1, select=["values.absent"])
        assert first == {"values": {}}

    async def test_what_a_node_raised_is_not_shown(self, me: Person) -> None:
        thread = await me.run(fail=True)
        response = await me.http.get(f"/threads/{thread}/state")
        assert response.json()["tasks"][0]["error"] == "The node failed."
        assert "secret" not in response.text

    async def test_there_is_no_such_checkpoint(self, me: Person) -> None:
        thread = await me.run("approval")
        empty = (await me.sdk.threads.create())["thread_id"]
        for one in (thread, empty):
            with pytest.raises(NotFoundError, match="checkpoint"):
                await me.sdk.threads.get_state(one, checkpoint_id=UNKNOWN)
        elsewhere = {"checkpoint_ns": "elsewhere:1"}
        response = await me.http.post(f"/threads/{thread}/state/checkpoint", json={"checkpoint": elsewhere})
        assert refusal(response)[0] == 404

    @together(
        "body",
        [
            {},
            {"checkpoint": {"thread_id": NOBODY}},
            {"checkpoint": {"thread_id": "abc"}},
            {"checkpoint": {"unknown": 1}},
            {"checkpoint": {"checkpoint_id": 1}},
            {"checkpoint": {"checkpoint_id": "\0"}},
            {"checkpoint": {}, "select": ["secret"]},
            {"checkpoint": {}, "unknown": 1},
        ],
    )
    async def test_bad_input(self, me: Person, body: dict[str, Any]) -> None:
        thread = await me.run("approval")
        assert refusal(await me.http.post(f"/threads/{thread}/state/checkpoint", json=body))[0] == 422
        assert refusal(await me.http.get(f"/threads/{thread}/state", params={"select": "secret"}))[0] == 422
        assert refusal(await me.http.get(f"/threads/{thread}/state/%00"))[0] == 422


class TestHistory:
    async def test_newest_first(self, me: Person) -> None:
        thread = await me.run()
        history = await me.sdk.threads.get_history(thread)
        assert [state["next"] for state in history] == [[], ["last"], ["slow"], ["first"], ["__start__"]]
        for newer, older in pairwise(history):
            assert newer["parent_checkpoint"] == older["checkpoint"]
        assert history[0] == await me.sdk.threads.get_state(thread)

    async def test_parts(self, me: Person) -> None:
        thread = await me.run()
        history = await me.sdk.threads.get_history(thread)
        assert await me.sdk.threads.get_history(thread, limit=2) == history[:2]
        second = history[1]["checkpoint"]
        forms: list[Any] = [second, second["checkpoint_id"], {"configurable": second}]
        for before in forms:
            assert await me.sdk.threads.get_history(thread, before=before, limit=2) == history[2:4]
        inputs = await me.sdk.threads.get_history(thread, metadata={"source": "input"})
        assert [state["next"] for state in inputs] == [["__start__"]]
        assert await me.sdk.threads.get_history(thread, metadata={"source": "nowhere"}) == []
        assert await me.sdk.threads.get_history(thread, checkpoint=second) == [history[1]]

    async def test_by_get_and_without_a_body(self, me: Person) -> None:
        thread = await me.run()
        history = await me.sdk.threads.get_history(thread)
        path = f"/threads/{thread}/history"
        assert (await me.http.post(path)).json() == history
        params = {"limit": 1, "before": history[0]["checkpoint"]["checkpoint_id"]}
        assert (await me.http.get(path, params=params)).json() == history[1:2]

    @together(
        "body",
        [
            {"limit": 0},
            {"limit": 1001},
            {"before": 1},
            {"before": {"thread_id": NOBODY}},
            {"metadata": "x"},
            {"metadata": {"a": "\0"}},
            {"checkpoint": {"thread_id": NOBODY}},
            {"select": ["secret"]},
            {"unknown": 1},
        ],
    )
    async def test_bad_input(self, me: Person, body: dict[str, Any]) -> None:
        thread = await me.run()
        assert refusal(await me.http.post(f"/threads/{thread}/history", json=body))[0] == 422
        assert refusal(await me.http.get(f"/threads/{thread}/history", params={"limit": 0}))[0] == 422


class TestUpdate:
    async def test_values_as_the_last_node(self, me: Person) -> None:
        thread = await me.run("approval")
        before = await me.sdk.threads.get_state(thread)
        made: dict[str, Any] = dict(await me.sdk.threads.update_state(thread, {"steps": ["mine"]}))
        state = await me.sdk.threads.get_state(thread)
        assert made["checkpoint"] == made["configurable"] == state["checkpoint"]
        assert made["checkpoint_id"] == state["checkpoint"]["checkpoint_id"]
        assert state["values"] == {"steps": ["first", "mine"]}
        assert state["parent_checkpoint"] == before["checkpoint"]
        assert state["metadata"] is not None
        assert state["metadata"]["source"] == "update"
        found = await me.sdk.threads.get(thread)
        assert (found["values"], found["status"], found["interrupts"]) == (state["values"], "interrupted", {})

    async def test_as_a_node_that_chooses(self, me: Person) -> None:
        thread = (await me.sdk.threads.create(graph_id="choice"))["thread_id"]
        await me.sdk.threads.update_state(thread, {"steps": ["right"]}, as_node="begin")
        state = await me.sdk.threads.get_state(thread)
        assert state["next"] == ["right"]
        found = await me.sdk.threads.get(thread)
        assert found["metadata"] is not None
        assert set(found["metadata"]) == {"graph_id", "assistant_id"}
        assert await me.run("choice", thread) == thread

    async def test_ignoring_an_interrupt_ends_it(self, me: Person) -> None:
        thread = await me.run("approval")
        await me.sdk.threads.update_state(thread, None, as_node="__end__")
        found = await me.sdk.threads.get(thread)
        assert (found["status"], found["interrupts"], found["values"]) == ("idle", {}, {"steps": ["first"]})
        state = await me.sdk.threads.get_state(thread)
        assert (state["next"], state["tasks"]) == ([], [])

    async def test_a_fork_becomes_the_head(self, me: Person) -> None:
        thread = await me.run("approval")
        [_, base, *_] = await me.sdk.threads.get_history(thread)
        for where in ({"checkpoint": base["checkpoint"]}, {"checkpoint_id": base["checkpoint"]["checkpoint_id"]}):
            await me.sdk.threads.update_state(thread, {"steps": ["forked"]}, as_node="first", **where)
            state = await me.sdk.threads.get_state(thread)
            assert (state["values"], state["next"]) == ({"steps": ["forked"]}, ["ask"])
            assert state["parent_checkpoint"] == base["checkpoint"]
        assert (await me.sdk.threads.get(thread))["values"] == {"steps": ["forked"]}

    async def test_in_a_subgraph(self, me: Person) -> None:
        thread = await me.run("nested")
        place = (await me.sdk.threads.get_state(thread))["tasks"][0]["checkpoint"]
        assert place is not None
        made = await me.sdk.threads.update_state(thread, {"steps": ["mine"]}, as_node="first", checkpoint=place)
        assert made["checkpoint"]["checkpoint_ns"] == place["checkpoint_ns"]
        inner = (await me.sdk.threads.get_state(thread, subgraphs=True))["tasks"][0]["state"]
        assert inner is not None
        assert inner["values"] == {"steps": ["first", "mine"]}

    async def test_a_run_goes_on_from_it(self, me: Person) -> None:
        thread = await me.run()
        await me.sdk.threads.update_state(thread, {"steps": ["mine"]}, as_node="last")
        await me.run("steps", thread)
        found = await me.sdk.threads.get(thread)
        assert found["values"] == {"steps": ["first", "slow", "last", "mine", "first", "slow", "last"]}

    async def test_not_while_a_run_is_unfinished(self, me: Person) -> None:
        thread, run_id = await me.start(seconds=5)
        with pytest.raises(ConflictError, match="not finished"):
            await me.sdk.threads.update_state(thread, {"steps": ["mine"]}, as_node="first")
        await me.runtime.engine.cancel(me.id, run_id)
        await me.wait(run_id)
        await me.sdk.threads.update_state(thread, {"steps": ["mine"]}, as_node="first")

    async def test_of_many_at_once_none_is_lost(self, me: Person) -> None:
        thread = await me.run()
        updates = [me.sdk.threads.update_state(thread, {"steps": [str(n)]}, as_node="last") for n in range(8)]
        made = await asyncio.gather(*updates, return_exceptions=True)
        refused = [one for one in made if isinstance(one, BaseException)]
        assert len(refused) < 8
        assert all(isinstance(one, ConflictError) for one in refused)
        values: Any = (await me.sdk.threads.get_state(thread))["values"]
        assert len(values["steps"]) == 3 + 8 - len(refused)

    async def test_what_was_worked_out_before_a_run_is_not_written_after_it(
        self, me: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        thread = await me.run()
        apply = state_updates.apply

        async def slowly(*given: Any) -> dict[str, Any]:
            made = await apply(*given)
            await me.run("steps", thread)
            return made

        monkeypatch.setattr(state_updates, "apply", slowly)
        with pytest.raises(ConflictError, match="same time"):
            await me.sdk.threads.update_state(thread, {"steps": ["mine"]}, as_node="last")
        state = await me.sdk.threads.get_state(thread)
        assert state["values"] == {"steps": ["first", "slow", "last"] * 2}
        assert state["metadata"]["source"] == "loop"

    async def test_nothing_holds_a_connection_while_the_graph_works(
        self, me: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        thread = await me.run()
        apply, pool = state_updates.apply, me.runtime.database.pool
        free: list[bool] = []

        async def watched(*given: Any) -> dict[str, Any]:
            stats = pool.get_stats()
            free.append(stats["pool_available"] == stats["pool_size"])
            return await apply(*given)

        monkeypatch.setattr(state_updates, "apply", watched)
        await me.sdk.threads.update_state(thread, {"steps": ["mine"]}, as_node="last")
        assert free == [True]

    async def test_a_run_that_starts_meanwhile_wins(self, me: Person) -> None:
        thread = await me.run()
        update = me.sdk.threads.update_state(thread, {"steps": ["mine"]}, as_node="last")
        running: Any = me.run("steps", thread)
        made = await asyncio.gather(running, update, return_exceptions=True)
        updated = made[1]
        assert made[0] == thread
        found = await me.sdk.threads.get(thread)
        assert found["values"] is not None
        assert ("mine" in found["values"]["steps"]) is not isinstance(updated, ConflictError)
        assert found["values"] == (await me.sdk.threads.get_state(thread))["values"]

    @together(
        ("body", "says"),
        [
            ({"values": {}, "as_node": "nowhere"}, "as_node"),
            ({"values": {"unknown": 1}}, "keys"),
            ({"values": {"steps": 5}}, "cannot take"),
            ({"values": [1]}, "cannot take"),
            ({"values": "x"}, "values"),
            ({"values": {"steps": ["\0"]}}, "U+0000"),
            ({"values": {}, "checkpoint": {"thread_id": str(uuid4())}}, "another thread"),
            ({"values": {}, "checkpoint": {"checkpoint_ns": "nowhere:1"}}, "checkpoint"),
            ({"values": {}, "unknown": 1}, "unknown"),
            ({"values": {}, "command": {}}, "command"),
        ],
    )
    async def test_bad_input(self, me: Person, body: dict[str, Any], says: str) -> None:
        thread = await me.run("approval")
        before = await me.sdk.threads.get_state(thread)
        status, sentence = refusal(await me.http.post(f"/threads/{thread}/state", json=body))
        assert status in (404, 422)
        assert says in sentence
        assert await me.sdk.threads.get_state(thread) == before

    async def test_the_graphs_own_failures_show_nothing(self, me: Person) -> None:
        thread = (await me.sdk.threads.create(graph_id="choice"))["thread_id"]
        body = {"values": {"steps": ["broken"]}, "as_node": "begin"}
        response = await me.http.post(f"/threads/{thread}/state", json=body)
        assert refusal(response)[0] == 422
        assert "secret" not in response.text

    async def test_where_it_cannot_go(self, me: Person) -> None:
        thread = await me.run("approval")
        with pytest.raises(NotFoundError):
            await me.sdk.threads.update_state(thread, {"steps": []}, checkpoint_id=UNKNOWN)
        empty = (await me.sdk.threads.create())["thread_id"]
        with pytest.raises(ConflictError, match="no graph"):
            await me.sdk.threads.update_state(empty, {"steps": []})
        strange = (await me.sdk.threads.create(graph_id="gone"))["thread_id"]
        with pytest.raises(NotFoundError, match="not served"):
            await me.sdk.threads.update_state(strange, {"steps": []})


class TestEncrypted:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"CHECKPOINT_KEY": base64.b64encode(bytes(32)).decode()}

    async def test_an_update_and_a_copy_stay_encrypted(self, me: Person) -> None:
        thread = await me.run("approval", steps=["in"])
        await me.sdk.threads.update_state(thread, {"answer": "机密内容4417"}, as_node="ask")
        copied = await me.sdk.threads.copy(thread)
        for one in (thread, copied["thread_id"]):
            state = await me.sdk.threads.get_state(one)
            assert (state["values"]["answer"], state["next"]) == ("机密内容4417", ["last"])
        async with me.runtime.database.pool.connection() as connection:
            for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
                cursor = await connection.execute(f"SELECT c::text AS kept FROM checkpoints.{table} AS c")
                kept = str(await cursor.fetchall())
                assert "4417" not in kept
                assert b"4417".hex() not in kept
