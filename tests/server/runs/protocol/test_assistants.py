"""Assistants through the real SDK: found by id and by name, drawn, described; neither made nor changed."""

from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest
from langgraph_sdk.errors import APIStatusError, NotFoundError

from tests.kit.cases import together
from tests.server.runs.protocol.conftest import GRAPHS, NOBODY, Person, refusal

# As every LangGraph server has it.
APPROVAL = "e234584d-b7bf-527f-9d06-ba77f8f5172d"


@together(
    ("method", "path"),
    [
        ("POST", "/assistants/search"),
        ("POST", "/assistants/count"),
        ("GET", "/assistants/steps"),
        ("GET", "/assistants/steps/graph"),
        ("GET", "/assistants/steps/schemas"),
        ("GET", "/assistants/steps/subgraphs"),
        ("GET", "/assistants/steps/subgraphs/x"),
        ("POST", "/assistants"),
        ("PATCH", "/assistants/steps"),
        ("DELETE", "/assistants/steps"),
        ("POST", "/assistants/steps/versions"),
        ("POST", "/assistants/steps/latest"),
    ],
)
async def test_needs_a_caller(anonymous: httpx.AsyncClient, method: str, path: str) -> None:
    response = await anonymous.request(method, path, json={})
    assert refusal(response)[0] == 401
    assert response.headers["www-authenticate"] == "Bearer"


class TestFind:
    @together("wanted", ["approval", APPROVAL, APPROVAL.upper()])
    async def test_by_id_and_by_name(self, me: Person, wanted: str) -> None:
        found: dict[str, Any] = dict(await me.sdk.assistants.get(wanted))
        assert UUID(APPROVAL) == uuid5(UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8"), "approval")
        assert found.pop("created_at") == found.pop("updated_at")
        assert found == {
            "assistant_id": APPROVAL,
            "graph_id": "approval",
            "name": "approval",
            "description": None,
            "config": {},
            "context": {},
            "metadata": {"created_by": "system"},
            "version": 1,
        }

    @pytest.mark.parametrize("tail", ["", "/graph", "/schemas", "/subgraphs", "/subgraphs/x"])
    @together("wanted", ["nothing", NOBODY])
    async def test_there_is_no_other(self, me: Person, wanted: str, tail: str) -> None:
        assert refusal(await me.http.get(f"/assistants/{wanted}{tail}"))[0] == 404
        with pytest.raises(NotFoundError):
            await me.sdk.assistants.get(wanted)


class TestSearch:
    async def test_all_in_their_order(self, me: Person) -> None:
        assert [found["graph_id"] for found in await me.sdk.assistants.search()] == list(GRAPHS)
        assert await me.sdk.assistants.count() == len(GRAPHS)

    @together(
        ("asked", "names"),
        [
            ({"graph_id": "steps"}, ["steps"]),
            ({"graph_id": "nothing"}, []),
            ({"name": "STE"}, ["steps", "nested"]),
            ({"metadata": {"created_by": "system"}}, list(GRAPHS)),
            ({"metadata": {"created_by": "me"}}, []),
            ({"metadata": {"absent": None}}, []),
        ],
    )
    async def test_filters(self, me: Person, asked: dict[str, Any], names: list[str]) -> None:
        found = await me.sdk.assistants.search(**asked)
        assert sorted(one["graph_id"] for one in found) == sorted(names)
        assert await me.sdk.assistants.count(**asked) == len(names)

    async def test_pages(self, me: Person) -> None:
        page = await me.sdk.assistants.search(limit=3, response_format="object")
        assert (len(page["assistants"]), page["next"]) == (3, "3")
        page = await me.sdk.assistants.search(limit=3, offset=len(GRAPHS) - 1, response_format="object")
        assert (len(page["assistants"]), page["next"]) == (1, None)
        response = await me.http.post("/assistants/search", json={"limit": 1})
        assert (response.headers["x-pagination-total"], response.headers["x-pagination-next"]) == (
            str(len(GRAPHS)),
            "1",
        )

    async def test_order_and_fields(self, me: Person) -> None:
        found = await me.sdk.assistants.search(sort_by="name", sort_order="asc", select=["name", "version"])
        assert found == [{"name": name, "version": 1} for name in sorted(GRAPHS)]
        found = await me.sdk.assistants.search(sort_by="name", select=["name"])
        assert [one["name"] for one in found] == sorted(GRAPHS, reverse=True)

    @pytest.mark.parametrize("path", ["/assistants/search", "/assistants/count"])
    async def test_no_body_asks_for_all(self, me: Person, path: str) -> None:
        assert (await me.http.post(path)).status_code == 200

    @together(
        "body",
        [
            {"limit": 0},
            {"limit": 1001},
            {"offset": -1},
            {"sort_by": "metadata"},
            {"sort_order": "up"},
            {"select": ["secret"]},
            {"metadata": []},
            {"unknown": 1},
            [],
        ],
    )
    async def test_bad_input(self, me: Person, body: Any) -> None:
        assert refusal(await me.http.post("/assistants/search", json=body))[0] == 422
        assert refusal(await me.http.post("/assistants/count", json={"limit": 1}))[0] == 422


class TestGraph:
    async def test_to_the_last_key(self, me: Person) -> None:
        """As LangGraph's own server draws it."""
        drawn = await me.sdk.assistants.get_graph("approval")
        named = [{"id": n, "type": "runnable", "data": {"name": n}} for n in ("__start__", "first", "ask", "last")]
        assert drawn["nodes"] == [*named, {"id": "__end__"}]
        edges = {(edge["source"], edge["target"]) for edge in drawn["edges"]}
        assert edges == {("__start__", "first"), ("first", "ask"), ("ask", "last"), ("last", "__end__")}
        assert all(set(edge) == {"source", "target"} for edge in drawn["edges"])

    async def test_a_drawing(self, me: Person) -> None:
        drawn = await me.sdk.assistants.get_graph("choice")
        assert {node["id"] for node in drawn["nodes"]} == {"__start__", "begin", "left", "right", "__end__"}
        assert {"source": "begin", "target": "left", "conditional": True} in drawn["edges"]

    @together(("xray", "inner"), [(False, False), (True, True), (1, True)])
    async def test_xray_looks_into_subgraphs(self, me: Person, xray: Any, *, inner: bool) -> None:
        drawn = await me.sdk.assistants.get_graph("nested", xray=xray)
        assert ("inner:ask" in {node["id"] for node in drawn["nodes"]}) is inner

    @together("xray", ["x", "0", "-1", "99", "٣", ""])
    async def test_bad_input(self, me: Person, xray: str) -> None:
        assert refusal(await me.http.get("/assistants/steps/graph", params={"xray": xray}))[0] == 422


class TestSchemas:
    async def test_of_a_graph(self, me: Person) -> None:
        schemas: dict[str, Any] = dict(await me.sdk.assistants.get_schemas("choice"))
        assert schemas["graph_id"] == "choice"
        assert schemas["context_schema"] == schemas["config_schema"]
        assert schemas["context_schema"]["properties"]["style"]["type"] == "string"
        for kind in ("input_schema", "output_schema", "state_schema"):
            assert set(schemas[kind]["properties"]) == {"steps", "answer"}
        plain = await me.sdk.assistants.get_schemas("steps")
        assert (plain["context_schema"], plain["config_schema"]) == (None, {})

    async def test_of_subgraphs(self, me: Person) -> None:
        found = await me.sdk.assistants.get_subgraphs("nested")
        assert list(found) == ["inner"]
        assert "question" not in str(found)
        assert await me.sdk.assistants.get_subgraphs("nested", namespace="inner", recurse=True) == found
        assert await me.sdk.assistants.get_subgraphs("nested", namespace="other") == {}
        assert await me.sdk.assistants.get_subgraphs("steps") == {}

    async def test_bad_input(self, me: Person) -> None:
        response = await me.http.get("/assistants/nested/subgraphs", params={"recurse": "perhaps"})
        assert refusal(response)[0] == 422


async def test_they_cannot_be_made_or_changed(me: Person) -> None:
    sdk = me.sdk.assistants
    calls = [
        sdk.create("steps", name="mine"),
        sdk.update("steps", name="mine"),
        sdk.delete("steps"),
        sdk.get_versions("steps"),
        sdk.set_latest("steps", 1),
    ]
    for call in calls:
        with pytest.raises(APIStatusError) as refused:
            await call
        assert refused.value.status_code == 501
        assert "langgraph.json" in str(refused.value.body)
