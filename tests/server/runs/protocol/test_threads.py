"""Threads through the real SDK: made, found, changed, copied, deleted, by their owner only."""

import base64
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk.errors import APIStatusError, ConflictError, NotFoundError
from psycopg import AsyncConnection

from db.database import acting_for
from db.url import for_psycopg
from server.runs.model import RunRequest
from tests.kit.cases import together
from tests.server.runs.conftest import new_owner
from tests.server.runs.protocol.conftest import NOBODY, Person, refusal

KEYS = [
    *("thread_id", "created_at", "updated_at", "state_updated_at", "metadata"),
    *("status", "config", "values", "interrupts"),
]
APPROVAL = "e234584d-b7bf-527f-9d06-ba77f8f5172d"
# PostgreSQL has no room for these, and JSON texts may hold them.
UNSTORABLE = [
    '{"a": "\\u0000"}',
    '{"a": "\\ud800"}',
    '{"\\u0000": 1}',
    '{"a": NaN}',
    '{"a": 1e999}',
    f'{{"a": {2**70}}}',
]
DEEP = '{"a":' * 150 + "1" + "}" * 150
ONE = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/copy")]


class TestAccess:
    @together(
        ("method", "path"),
        [
            *(("POST", f"/threads{tail}") for tail in ("", "/search", "/count", "/prune")),
            *((method, f"/threads/{NOBODY}{tail}") for method, tail in ONE),
        ],
    )
    async def test_needs_a_caller(self, anonymous: httpx.AsyncClient, method: str, path: str) -> None:
        assert refusal(await anonymous.request(method, path, json={}))[0] == 401

    @together(("method", "tail"), ONE)
    async def test_a_stranger_sees_and_changes_nothing(self, me: Person, other: Person, method: str, tail: str) -> None:
        thread = await me.run("approval")
        before = await me.sdk.threads.get(thread)
        theirs = refusal(await other.http.request(method, f"/threads/{thread}{tail}", json={"metadata": {"a": 1}}))
        nobodys = refusal(await other.http.request(method, f"/threads/{NOBODY}{tail}", json={"metadata": {"a": 1}}))
        assert theirs == nobodys == (404, "There is no such thread.")
        assert await me.sdk.threads.get(thread) == before
        assert await other.sdk.threads.search() == []
        assert await other.sdk.threads.search(ids=[thread]) == []
        assert await other.sdk.threads.count() == 0

    @together(("method", "tail"), ONE)
    async def test_an_id_is_a_uuid(self, me: Person, method: str, tail: str) -> None:
        assert refusal(await me.http.request(method, f"/threads/abc{tail}", json={}))[0] == 422


class TestCreate:
    async def test_the_thread_of_nothing(self, me: Person) -> None:
        made: dict[str, Any] = dict(await me.sdk.threads.create())
        assert list(made) == KEYS
        assert made["created_at"] == made["updated_at"] == made["state_updated_at"]
        assert made["created_at"].endswith("+00:00")
        assert [made[key] for key in KEYS[4:]] == [{}, "idle", {}, None, {}]
        assert await me.sdk.threads.get(made["thread_id"], include=["ttl"]) == made

    async def test_an_id_and_metadata_of_ones_own(self, me: Person) -> None:
        wanted = str(uuid4())
        made = await me.sdk.threads.create(thread_id=wanted, metadata={"a": {"b": [1]}}, graph_id="steps")
        assert made["thread_id"] == wanted
        assert made["metadata"] == {"a": {"b": [1]}, "graph_id": "steps"}

    async def test_an_id_that_is_taken(self, me: Person, other: Person) -> None:
        made = await me.sdk.threads.create(metadata={"a": 1})
        for if_exists in (None, "raise"):
            with pytest.raises(ConflictError):
                await me.sdk.threads.create(thread_id=made["thread_id"], if_exists=if_exists)
        again = await me.sdk.threads.create(thread_id=made["thread_id"], if_exists="do_nothing", metadata={"a": 2})
        assert again == made
        with pytest.raises(ConflictError):
            await other.sdk.threads.create(thread_id=made["thread_id"], if_exists="do_nothing")

    @together(
        "body",
        [
            {"thread_id": "abc"},
            {"metadata": "x"},
            {"if_exists": "perhaps"},
            {"unknown": 1},
            {"supersteps": [{"updates": []}]},
            {"supersteps": [{"updates": [{"values": {}, "command": {"goto": "x"}}]}]},
        ],
    )
    async def test_bad_input(self, me: Person, body: dict[str, Any]) -> None:
        assert refusal(await me.http.post("/threads", json=body))[0] == 422

    @together("metadata", [*UNSTORABLE, DEEP])
    async def test_what_cannot_be_kept(self, me: Person, metadata: str) -> None:
        headers = {"content-type": "application/json"}
        for path in ("/threads", "/threads/search"):
            response = await me.http.post(path, content=f'{{"metadata": {metadata}}}', headers=headers)
            assert refusal(response)[0] == 422

    async def test_a_time_to_live_is_refused_with_a_reason(self, me: Person) -> None:
        thread = await me.sdk.threads.create()
        for call in (me.sdk.threads.create(ttl=5), me.sdk.threads.update(thread["thread_id"], metadata={}, ttl=5)):
            with pytest.raises(APIStatusError, match="time to live") as refused:
                await call
            assert refused.value.status_code == 422


class TestSupersteps:
    STEPS: list[dict[str, Any]] = [  # noqa: RUF012 - the tests' own
        {"updates": [{"values": {"steps": ["in"]}, "as_node": "__start__"}]},
        {"updates": [{"values": {"steps": ["one"]}, "as_node": "first"}]},
    ]

    async def test_a_thread_with_a_past(self, me: Person) -> None:
        made = await me.sdk.threads.create(graph_id="approval", supersteps=self.STEPS)
        assert (made["values"], made["status"]) == ({"steps": ["in", "one"]}, "interrupted")
        assert made["metadata"] == {"graph_id": "approval", "assistant_id": APPROVAL}
        history = await me.sdk.threads.get_history(made["thread_id"])
        assert [state["next"] for state in history] == [["ask"], ["first"]]

    async def test_an_input_waits_to_be_taken(self, me: Person) -> None:
        steps = [{"updates": [{"values": {"steps": ["in"]}, "as_node": "__input__"}]}]
        made = await me.sdk.threads.create(graph_id="approval", supersteps=steps)
        assert made["values"] == {"steps": []}
        assert (await me.sdk.threads.get_state(made["thread_id"]))["next"] == ["__start__"]

    async def test_none_is_made_where_they_do_not_fit(self, me: Person) -> None:
        wrong = [*self.STEPS, {"updates": [{"values": {}, "as_node": "nowhere"}]}]
        with pytest.raises(APIStatusError, match="as_node"):
            await me.sdk.threads.create(graph_id="approval", supersteps=wrong)
        with pytest.raises(ConflictError, match="no graph"):
            await me.sdk.threads.create(supersteps=self.STEPS)
        assert await me.sdk.threads.count() == 0

    async def test_an_existing_thread_keeps_its_own(self, me: Person) -> None:
        thread = await me.run()
        with pytest.raises(ConflictError):
            await me.sdk.threads.create(thread_id=thread, if_exists="do_nothing", supersteps=self.STEPS)
        assert (await me.sdk.threads.get(thread))["values"] == {"steps": ["first", "slow", "last"]}


class TestAfterRuns:
    async def test_a_run_names_the_graph(self, me: Person) -> None:
        thread = (await me.sdk.threads.create(metadata={"mine": 1}))["thread_id"]
        await me.run("steps", thread)
        found = await me.sdk.threads.get(thread)
        assert found["metadata"] is not None
        assert (found["metadata"]["mine"], found["metadata"]["graph_id"]) == (1, "steps")
        assert found["metadata"]["assistant_id"] == (await me.sdk.assistants.get("steps"))["assistant_id"]
        assert (found["status"], found["values"]) == ("idle", {"steps": ["first", "slow", "last"]})
        assert found["updated_at"] > found["created_at"]

    async def test_an_interrupt_is_under_its_task(self, me: Person) -> None:
        thread = await me.run("approval")
        found = await me.sdk.threads.get(thread)
        state = await me.sdk.threads.get_state(thread)
        [task] = state["tasks"]
        assert found["status"] == "interrupted"
        assert found["interrupts"] == {task["id"]: task["interrupts"]}
        assert task["interrupts"][0]["value"] == {"question": "go on?"}
        asked = RunRequest(thread_id=UUID(thread), owner_id=me.id, workflow="approval")
        result = await me.wait(await me.runtime.engine.resume(asked, "yes"))
        assert result.interrupts == {}
        found = await me.sdk.threads.get(thread)
        assert (found["status"], found["interrupts"]) == ("idle", {})
        assert found["values"] == {"steps": ["first", "last"], "answer": "yes"}

    async def test_a_run_under_way_and_one_that_failed(self, me: Person) -> None:
        thread, run_id = await me.start(seconds=5)
        assert (await me.sdk.threads.get(thread))["status"] == "busy"
        await me.runtime.engine.cancel(me.id, run_id)
        await me.wait(run_id)
        assert (await me.sdk.threads.get(thread))["status"] == "interrupted"
        failed = await me.sdk.threads.get(await me.run(fail=True))
        assert (failed["status"], failed["values"]) == ("error", {"fail": True, "steps": ["first"]})

    async def test_a_state_that_jsonb_cannot_hold(self, me: Person) -> None:
        thread = await me.run(steps=["a\0b", "\\u0000"])
        found = await me.sdk.threads.get(thread)
        assert found["status"] == "idle"
        assert found["values"] is not None
        assert found["values"]["steps"][:2] == ["ab", "\\u0000"]


class TestSearch:
    @pytest.fixture
    async def three(self, me: Person) -> list[str]:
        """Idle, interrupted, and never used."""
        steps, approval = await me.run("steps"), await me.run("approval")
        empty = (await me.sdk.threads.create(metadata={"a": {"b": 1, "c": 2}}))["thread_id"]
        return [steps, approval, empty]

    @together(
        ("asked", "positions"),
        [
            ({}, [2, 1, 0]),
            ({"sort_order": "asc"}, [0, 1, 2]),
            ({"sort_by": "created_at", "sort_order": "asc"}, [0, 1, 2]),
            ({"sort_by": "state_updated_at"}, [2, 1, 0]),
            ({"sort_by": "status", "sort_order": "desc", "metadata": {"graph_id": "approval"}}, [1]),
            ({"metadata": {"a": {"b": 1}}}, [2]),
            ({"metadata": {"assistant_id": APPROVAL}}, [1]),
            ({"status": "interrupted"}, [1]),
            ({"status": "busy"}, []),
            ({"values": {"steps": ["slow"]}}, [0]),
            ({"limit": 1, "offset": 1}, [1]),
            ({"limit": 5, "offset": 9}, []),
        ],
    )
    async def test_filters_and_order(
        self, me: Person, three: list[str], asked: dict[str, Any], positions: list[int]
    ) -> None:
        found = await me.sdk.threads.search(**asked)
        assert [one["thread_id"] for one in found] == [three[position] for position in positions]

    async def test_lists_come_from_an_index(self, me: Person, database_url: str) -> None:
        other = await new_owner(me.runtime)
        async with await AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as connection:
            # Few of many: else what is chosen depends on when PostgreSQL looked at the table last.
            for owner, number in ((me.id, 20), (other, 5000)):
                await connection.execute(
                    "INSERT INTO platform.threads (id, owner_id, created_at, updated_at, state_updated_at)"
                    " SELECT gen_random_uuid(), %s, t, t, t FROM generate_series(1, %s) AS n,"
                    " LATERAL (SELECT now() - n * interval '1 minute' AS t) AS at",
                    (owner, number),
                )
            await connection.execute("ANALYZE platform.threads")
        for column in ("updated_at", "created_at", "state_updated_at"):
            async with acting_for(me.runtime.database.pool, me.id) as connection:
                await connection.execute("SET LOCAL enable_bitmapscan = off")
                cursor = await connection.execute(
                    f"EXPLAIN SELECT id FROM platform.threads WHERE owner_id = %s AND metadata @> '{{}}'"
                    f" ORDER BY {column} DESC, id DESC LIMIT 10",
                    (me.id,),
                )
                plan = "\n".join(str(row["QUERY PLAN"]) for row in await cursor.fetchall())
            assert f"threads_owner_{column.removesuffix('_at')}" in plan
            # At most the equal times are sorted.
            assert plan.count("Sort") == 0 or "Presorted Key" in plan

    async def test_by_ids(self, me: Person, three: list[str]) -> None:
        found = await me.sdk.threads.search(ids=[three[0], three[2], NOBODY], sort_by="thread_id", sort_order="asc")
        assert [one["thread_id"] for one in found] == sorted([three[0], three[2]])

    @together(
        ("asked", "number"),
        [({}, 3), ({"status": "idle"}, 2), ({"metadata": {"graph_id": "steps"}}, 1), ({"values": {"x": 1}}, 0)],
    )
    async def test_count(self, me: Person, three: list[str], asked: dict[str, Any], number: int) -> None:
        assert await me.sdk.threads.count(**asked) == number

    @together(
        ("body", "total", "after"),
        [
            ({"limit": 2}, "3", "2"),
            ({"limit": 2, "offset": 2}, "3", None),
            ({"limit": 3}, "3", None),
            ({"limit": 9, "offset": 9}, "3", None),
            ({"status": "interrupted"}, "1", None),
        ],
    )
    async def test_pages(
        self, me: Person, three: list[str], body: dict[str, Any], total: str, after: str | None
    ) -> None:
        headers = (await me.http.post("/threads/search", json=body)).headers
        assert (headers["x-pagination-total"], headers.get("x-pagination-next")) == (total, after)

    async def test_fields(self, me: Person, three: list[str]) -> None:
        found = await me.sdk.threads.search(status="interrupted", select=["thread_id", "values"])
        assert found == [{"thread_id": three[1], "values": {"steps": ["first"]}}]

    async def test_extracts(self, me: Person, three: list[str]) -> None:
        paths = {
            "last": "values.steps[-1]",
            "far": "values.steps[99]",
            "no": "values.steps.x",
            "graph": "metadata.graph_id",
            "all": "interrupts",
        }
        [found] = await me.sdk.threads.search(ids=[three[0]], select=["thread_id"], extract=paths)
        assert found == {
            "thread_id": three[0],
            "extracted": {"last": "last", "far": None, "no": None, "graph": "steps", "all": {}},
        }

    async def test_no_body_asks_for_all(self, me: Person, three: list[str]) -> None:
        assert len((await me.http.post("/threads/search")).json()) == 3
        assert (await me.http.post("/threads/count")).json() == 3
        nulls = dict.fromkeys(["metadata", "values", "status", "ids", "sort_by", "sort_order", "select", "extract"])
        assert len((await me.http.post("/threads/search", json=nulls)).json()) == 3

    @together(
        "body",
        [
            {"limit": 0},
            {"limit": 1001},
            {"offset": -1},
            {"offset": 2**40},
            {"status": "asleep"},
            {"ids": ["abc"]},
            {"ids": [NOBODY] * 1001},
            {"sort_by": "metadata"},
            {"sort_order": "up"},
            {"select": ["owner_id"]},
            {"extract": {"a": "owner_id"}},
            {"extract": {"a": "values[x"}},
            {"extract": {"a": "values.x[99999999999999999999]"}},
            {"extract": {str(number): "values" for number in range(11)}},
            {"unknown": 1},
        ],
    )
    async def test_bad_input(self, me: Person, body: dict[str, Any]) -> None:
        assert refusal(await me.http.post("/threads/search", json=body))[0] == 422

    async def test_count_takes_no_page(self, me: Person) -> None:
        assert refusal(await me.http.post("/threads/count", json={"limit": 1}))[0] == 422


class TestPatch:
    async def test_metadata_is_merged(self, me: Person) -> None:
        made = await me.sdk.threads.create(metadata={"a": 1, "b": {"c": 1}})
        changed = await me.sdk.threads.update(made["thread_id"], metadata={"b": {"d": 2}, "e": None})
        assert changed["metadata"] == {"a": 1, "b": {"d": 2}, "e": None}
        assert changed["updated_at"] > made["updated_at"]
        assert await me.sdk.threads.get(made["thread_id"]) == changed

    async def test_as_little_as_possible(self, me: Person) -> None:
        thread = (await me.sdk.threads.create())["thread_id"]
        response = await me.http.patch(
            f"/threads/{thread}", json={"metadata": {"a": 1}}, headers={"prefer": "return=minimal"}
        )
        assert (response.status_code, response.content) == (204, b"")
        assert (await me.sdk.threads.get(thread))["metadata"] == {"a": 1}

    async def test_the_graph_stays(self, me: Person) -> None:
        thread = await me.run("steps")
        with pytest.raises(ConflictError):
            await me.sdk.threads.update(thread, metadata={"graph_id": "approval"})
        await me.sdk.threads.update(thread, metadata={"graph_id": "steps"})
        fresh = (await me.sdk.threads.create(graph_id="steps"))["thread_id"]
        changed = await me.sdk.threads.update(fresh, metadata={"graph_id": "approval"})
        assert changed["metadata"] == {"graph_id": "approval"}

    @together("body", [{"metadata": 1}, {"values": {}}, {"status": "idle"}, "x", None])
    async def test_bad_input(self, me: Person, body: Any) -> None:
        thread = (await me.sdk.threads.create())["thread_id"]
        assert refusal(await me.http.patch(f"/threads/{thread}", json=body))[0] == 422

    async def test_include_knows_ttl_only(self, me: Person) -> None:
        thread = (await me.sdk.threads.create())["thread_id"]
        assert refusal(await me.http.get(f"/threads/{thread}", params={"include": "secrets"}))[0] == 422


class TestCopyAndDelete:
    async def test_a_copy_has_the_whole_history_and_goes_on_alone(self, me: Person) -> None:
        thread = await me.run("approval")
        copied = await me.sdk.threads.copy(thread)
        source = await me.sdk.threads.get(thread)
        copy = copied["thread_id"]
        assert copy != thread
        assert copied == await me.sdk.threads.get(copy)
        for key in ("metadata", "status", "values", "interrupts"):
            assert copied[key] == source[key]
        theirs, ours = [await me.sdk.threads.get_history(one) for one in (thread, copy)]
        assert [state["values"] for state in ours] == [state["values"] for state in theirs]
        assert {state["checkpoint"]["thread_id"] for state in ours} == {copy}
        asked = RunRequest(thread_id=UUID(copy), owner_id=me.id, workflow="approval")
        await me.wait(await me.runtime.engine.resume(asked, "yes"))
        assert (await me.sdk.threads.get(copy))["values"]["answer"] == "yes"
        assert await me.sdk.threads.get(thread) == source

    async def test_a_copy_of_nothing_and_of_a_run_under_way(self, me: Person) -> None:
        made = await me.sdk.threads.create(metadata={"a": 1})
        copied: dict[str, Any] = dict(await me.sdk.threads.copy(made["thread_id"]) or {})
        assert (copied["metadata"], copied["values"], copied["status"]) == ({"a": 1}, None, "idle")
        thread, run_id = await me.start(seconds=5)
        copied = dict(await me.sdk.threads.copy(thread) or {})
        assert copied["status"] == "idle"
        await me.runtime.engine.cancel(me.id, run_id)
        await me.wait(run_id)

    async def test_nothing_is_left(self, me: Person) -> None:
        thread = await me.run("approval")
        await me.sdk.threads.delete(thread)
        for call in (me.sdk.threads.get, me.sdk.threads.get_state, me.sdk.threads.delete):
            with pytest.raises(NotFoundError):
                await call(thread)
        async with me.runtime.database.pool.connection() as connection:
            cursor = await connection.execute("SELECT 1 FROM checkpoints.checkpoints WHERE thread_id = %s", (thread,))
            assert await cursor.fetchall() == []

    async def test_pruning_is_not_offered(self, me: Person) -> None:
        with pytest.raises(APIStatusError) as refused:
            await me.sdk.threads.prune([NOBODY])
        assert refused.value.status_code == 501
        assert refusal(await me.http.post("/threads/prune", json={"thread_ids": "x"}))[0] == 422


class TestLongStates:
    """States over 8 KB have no copy on their thread's row, and are shown all the same."""

    @pytest.fixture(params=["", base64.b64encode(bytes(32)).decode()], ids=["plain", "encrypted"])
    def environ(self, environ: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
        return environ | ({"CHECKPOINT_KEY": request.param} if request.param else {})

    async def test_lists_show_them(self, me: Person, other: Person) -> None:
        thread = (await me.sdk.threads.create())["thread_id"]
        short = await me.run()
        for turn in range(20):
            said = {"messages": [{"role": "user", "content": f"{turn} " + "word " * 100}]}
            await me.sdk.runs.wait(thread, "chat", input=said)
        async with me.runtime.system.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT state_values IS NULL AS empty FROM platform.threads WHERE id = %s", (thread,)
            )
            assert await cursor.fetchone() == {"empty": True}
        state = await me.sdk.threads.get_state(thread)
        assert len(state["values"]["messages"]) == 40
        assert (await me.sdk.threads.get(thread))["values"] == state["values"]
        found = {item["thread_id"]: item for item in await me.sdk.threads.search()}
        assert found[thread]["values"] == state["values"]
        assert found[short]["values"] == (await me.sdk.threads.get_state(short))["values"]
        [taken] = await me.sdk.threads.search(
            ids=[thread], select=["status"], extract={"last": "values.messages[-1].content"}
        )
        assert taken == {"status": "idle", "extracted": {"last": "answer 20"}}
        assert await other.sdk.threads.search(ids=[thread]) == []
