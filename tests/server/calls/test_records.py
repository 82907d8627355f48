"""Call records over HTTP: scenario T10, and every rule of G23, G24, G27, K05."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.kit.cases import together
from tests.server.calls.conftest import MESSAGES, call_body, refusal

RECORDS = "/api/v1/call-records"


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


PATCH = {"end_time": "2025-11-08T10:05:30Z", "duration_seconds": 330, "hangup_reason": "user", "messages": MESSAGES}


class TestAccess:
    @pytest.mark.parametrize(
        "headers", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": "clq_wrong"}, {"authorization": "Basic x"}]
    )
    @together(
        ("method", "path"),
        [
            ("POST", RECORDS),
            ("GET", RECORDS),
            ("GET", f"{RECORDS}/{UUID(int=1)}"),
            ("PATCH", f"{RECORDS}/{UUID(int=1)}"),
            ("DELETE", f"{RECORDS}/{UUID(int=1)}"),
            ("POST", f"{RECORDS}/{UUID(int=1)}/generate-summary"),
            ("GET", "/api/v1/agents"),
            ("POST", "/api/v1/agents"),
        ],
    )
    async def test_needs_a_valid_key(
        self, anonymous: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
    ) -> None:
        response = await anonymous.request(method, path, headers=headers, json={})
        assert refusal(response) == (401, "UNAUTHORIZED")
        assert response.headers["www-authenticate"] == "Bearer"

    async def test_authorization_wins_over_the_key_header(self, user: httpx.AsyncClient) -> None:
        good = {"x-api-key": user.headers["authorization"].removeprefix("Bearer ")}
        assert (await user.get(RECORDS, headers=good | {"authorization": "Bearer no"})).status_code == 401
        del user.headers["authorization"]
        assert (await user.get(RECORDS, headers=good)).status_code == 200

    @pytest.mark.parametrize(
        ("method", "tail"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/generate-summary")]
    )
    async def test_a_stranger_sees_nothing_and_changes_nothing(
        self, user: httpx.AsyncClient, stranger: httpx.AsyncClient, talked: str, method: str, tail: str
    ) -> None:
        before = (await user.get(f"{RECORDS}/{talked}")).json()
        response = await stranger.request(method, f"{RECORDS}/{talked}{tail}", json={"caller_name": "x"})
        assert refusal(response) == (404, "NOT_FOUND")
        assert (await user.get(f"{RECORDS}/{talked}")).json() == before
        assert (await stranger.get(RECORDS)).json()["data"]["records"] == []


class TestLife:
    async def test_create_answers_exactly_four_keys(self, user: httpx.AsyncClient, agent: str) -> None:
        response = await user.post(RECORDS, json=call_body(agent))
        assert response.status_code == 200
        body = response.json()
        assert list(body) == ["success", "data"]
        assert body["success"] is True
        assert list(body["data"]) == ["id", "agent_id", "caller_name", "start_time"]
        assert body["data"]["agent_id"] == agent
        assert body["data"]["start_time"] == "2025-11-08T10:00:00Z"

    async def test_patch_and_read_back(self, user: httpx.AsyncClient, call: str, agent: str) -> None:
        patched = await user.patch(f"{RECORDS}/{call}", json=PATCH)
        detail = await user.get(f"{RECORDS}/{call}")
        assert patched.json() == detail.json()
        assert detail.json() == {
            "success": True,
            "data": {
                "id": call,
                "agent_id": agent,
                "caller_name": "张三",
                "caller_app": "微信",
                "start_time": "2025-11-08T10:00:00Z",
                "end_time": "2025-11-08T10:05:30Z",
                "duration_seconds": 330,
                "hangup_reason": "user",
                "messages": MESSAGES,
                "summary": None,
                "metadata": {},
            },
        }

    async def test_delete(self, user: httpx.AsyncClient, call: str) -> None:
        assert (await user.delete(f"{RECORDS}/{call}")).json() == {"success": True, "data": {"id": call}}
        assert refusal(await user.get(f"{RECORDS}/{call}")) == (404, "NOT_FOUND")
        assert refusal(await user.delete(f"{RECORDS}/{call}")) == (404, "NOT_FOUND")

    async def test_other_zones_are_kept_as_the_instant(self, user: httpx.AsyncClient, agent: str) -> None:
        created = await user.post(RECORDS, json=call_body(agent, start_time="2025-11-08T18:00:00.750+08:00"))
        assert created.json()["data"]["start_time"] == "2025-11-08T10:00:00Z"


class TestPatchRules:
    async def test_a_missing_duration_is_computed(self, user: httpx.AsyncClient, call: str) -> None:
        data = (await user.patch(f"{RECORDS}/{call}", json={"end_time": "2025-11-08T10:01:40Z"})).json()["data"]
        assert data["duration_seconds"] == 100

    async def test_a_given_duration_is_kept(self, user: httpx.AsyncClient, call: str) -> None:
        body = {"end_time": "2025-11-08T10:01:40Z", "duration_seconds": 7}
        assert (await user.patch(f"{RECORDS}/{call}", json=body)).json()["data"]["duration_seconds"] == 7

    async def test_messages_are_replaced_and_other_fields_stay(self, user: httpx.AsyncClient, talked: str) -> None:
        data = (await user.patch(f"{RECORDS}/{talked}", json={"messages": MESSAGES[:1]})).json()["data"]
        assert data["messages"] == MESSAGES[:1]
        assert data["caller_name"] == "张三"

    async def test_metadata_is_merged(self, user: httpx.AsyncClient, call: str) -> None:
        await user.patch(f"{RECORDS}/{call}", json={"metadata": {"avg_confidence": 0.92, "a": 1}})
        data = (await user.patch(f"{RECORDS}/{call}", json={"metadata": {"a": 2}})).json()["data"]
        assert data["metadata"] == {"avg_confidence": 0.92, "a": 2}

    async def test_what_is_deeply_nested_can_be_read_again(self, user: httpx.AsyncClient, call: str) -> None:
        metadata = nested(100)
        await user.patch(f"{RECORDS}/{call}", json={"metadata": metadata})
        assert (await user.get(f"{RECORDS}/{call}")).json()["data"]["metadata"] == metadata

    async def test_null_clears(self, user: httpx.AsyncClient, call: str) -> None:
        await user.patch(f"{RECORDS}/{call}", json=PATCH)
        data = (await user.patch(f"{RECORDS}/{call}", json={"caller_name": None, "hangup_reason": None})).json()["data"]
        assert (data["caller_name"], data["hangup_reason"]) == (None, None)

    async def test_an_empty_patch_changes_nothing(self, user: httpx.AsyncClient, talked: str) -> None:
        before = (await user.get(f"{RECORDS}/{talked}")).json()
        assert (await user.patch(f"{RECORDS}/{talked}", json={})).json() == before

    @together(
        "body",
        [
            {"hangup_reason": "bored"},
            {"duration_seconds": -1},
            {"duration_seconds": "330"},
            {"duration_seconds": 1.5},
            {"duration_seconds": 2**31},
            {"end_time": "2025-11-08T09:59:59Z"},
            {"end_time": "2025-11-08T10:05:30"},
            {"end_time": "yesterday"},
            {"end_time": 1762596000},
            {"end_time": "9999-12-31T23:59:59-12:00"},
            {"messages": None},
            {"messages": "hello"},
            {"messages": [{"role": "ai", "content": "x", "timestamp": 1}]},
            {"messages": [{"role": "user", "content": "x"}]},
            {"messages": [{"role": "user", "content": 1, "timestamp": 1}]},
            {"messages": [{"role": "user", "content": "x", "timestamp": "1"}]},
            {"messages": [{"role": "user", "content": "x", "timestamp": -1}]},
            {"messages": [{"role": "user", "content": "a\u0000b", "timestamp": 1}]},
            {"messages": [{"role": "user", "content": "x", "timestamp": 1, "more": 1}]},
            {"messages": [MESSAGES[0]] * 5001},
            {"metadata": {"a": ["\u0000"]}},
            {"metadata": []},
            {"metadata": nested(101)},
            {"caller_name": "x" * 256},
            {"caller_app": "x" * 51},
            {"summary": "mine"},
            {"user_id": str(uuid4())},
            [],
            "text",
        ],
    )
    async def test_what_breaks_a_rule_is_refused_and_changes_nothing(
        self, user: httpx.AsyncClient, talked: str, body: Any
    ) -> None:
        before = (await user.get(f"{RECORDS}/{talked}")).json()
        assert refusal(await user.patch(f"{RECORDS}/{talked}", json=body)) == (400, "INVALID_PARAM")
        assert (await user.get(f"{RECORDS}/{talked}")).json() == before


class TestCreateRules:
    @together(
        "changes",
        [
            {"agent_id": "not-a-uuid"},
            {"agent_id": None},
            {"start_time": None},
            {"start_time": "2025-11-08"},
            {"caller_name": 5},
            {"unknown": 1},
        ],
    )
    async def test_bad_bodies(self, user: httpx.AsyncClient, agent: str, changes: dict[str, Any]) -> None:
        assert refusal(await user.post(RECORDS, json=call_body(agent, **changes))) == (400, "INVALID_PARAM")
        assert (await user.get(RECORDS)).json()["data"]["records"] == []

    @together("content", [b"{", b"", b"\xff\xfe", b"null"])
    async def test_malformed_json(self, user: httpx.AsyncClient, content: bytes) -> None:
        response = await user.post(RECORDS, content=content, headers={"content-type": "application/json"})
        assert refusal(response) == (400, "INVALID_PARAM")

    async def test_a_body_of_another_type_is_told_what_is_wanted(self, user: httpx.AsyncClient) -> None:
        response = await user.post(RECORDS, content=b"{}", headers={"content-type": "text/plain"})
        assert refusal(response) == (400, "INVALID_PARAM")
        assert "application/json" in response.json()["error"]["message"]

    async def test_an_unknown_agent(self, user: httpx.AsyncClient) -> None:
        response = await user.post(RECORDS, json=call_body(str(uuid4())))
        assert refusal(response) == (404, "AGENT_NOT_FOUND")

    async def test_anothers_agent(self, stranger: httpx.AsyncClient, agent: str) -> None:
        assert refusal(await stranger.post(RECORDS, json=call_body(agent))) == (404, "AGENT_NOT_FOUND")

    @pytest.mark.parametrize("declared", [True, False])
    async def test_too_large_a_body(self, user: httpx.AsyncClient, call: str, *, declared: bool) -> None:
        large = b'{"caller_name": "' + b"x" * (3 * 1024 * 1024) + b'"}'

        async def chunks() -> Any:
            for start in range(0, len(large), 65536):
                yield large[start : start + 65536]

        headers = {"content-type": "application/json"}
        response = await user.patch(f"{RECORDS}/{call}", content=large if declared else chunks(), headers=headers)
        assert refusal(response) == (413, "TOO_LARGE")

    @together("record_id", ["nonsense", "1", "statistics2"])
    async def test_an_id_that_is_none(self, user: httpx.AsyncClient, record_id: str) -> None:
        assert refusal(await user.get(f"{RECORDS}/{record_id}")) == (400, "INVALID_PARAM")

    async def test_unknown_id_path_and_method(self, user: httpx.AsyncClient) -> None:
        assert refusal(await user.get(f"{RECORDS}/{uuid4()}")) == (404, "NOT_FOUND")
        assert refusal(await user.get(f"{RECORDS}/{uuid4()}/nothing/here")) == (404, "NOT_FOUND")
        assert refusal(await user.put(RECORDS)) == (405, "METHOD_NOT_ALLOWED")


class TestList:
    async def test_beijing_days_are_inclusive(self, user: httpx.AsyncClient, agent: str) -> None:
        # 2025-11-08 in Beijing is from 16:00 UTC the day before to 15:59:59 UTC.
        for start in ("2025-11-07T15:59:59Z", "2025-11-07T16:00:00Z", "2025-11-08T15:59:59Z", "2025-11-08T16:00:00Z"):
            await user.post(RECORDS, json=call_body(agent, start_time=start))
        query: dict[str, Any] = {
            "agent_id": agent,
            "start_date": "2025-11-08",
            "end_date": "2025-11-08",
            "page": 1,
            "page_size": 20,
        }
        data = (await user.get(RECORDS, params=query)).json()["data"]
        assert [record["start_time"] for record in data["records"]] == ["2025-11-08T15:59:59Z", "2025-11-07T16:00:00Z"]
        assert data["pagination"] == {"page": 1, "page_size": 20, "total": 2, "total_pages": 1}

    async def test_an_item_has_exactly_the_seeds_keys(self, user: httpx.AsyncClient, call: str, agent: str) -> None:
        records = (await user.get(RECORDS)).json()["data"]["records"]
        assert records == [
            {
                "id": call,
                "agent_id": agent,
                "agent_name": "智能客服",
                "caller_name": "张三",
                "caller_app": "微信",
                "start_time": "2025-11-08T10:00:00Z",
                "duration_seconds": None,
                "summary": None,
            }
        ]

    async def test_pages_hold_each_call_once_newest_first(self, user: httpx.AsyncClient, agent: str) -> None:
        for day in (1, 2, 3, 3, 3):
            await user.post(RECORDS, json=call_body(agent, start_time=f"2025-11-0{day}T10:00:00Z"))
        pages = [
            (await user.get(RECORDS, params={"page": page, "page_size": 2})).json()["data"] for page in (1, 2, 3, 4)
        ]
        seen = [record for page in pages for record in page["records"]]
        assert [len(page["records"]) for page in pages] == [2, 2, 1, 0]
        assert len({record["id"] for record in seen}) == 5
        assert [record["start_time"] for record in seen] == sorted((r["start_time"] for r in seen), reverse=True)
        assert pages[3]["pagination"] == {"page": 4, "page_size": 2, "total": 5, "total_pages": 3}

    async def test_only_ones_own_agents_calls(self, user: httpx.AsyncClient, call: str) -> None:
        data = (await user.get(RECORDS, params={"agent_id": str(uuid4())})).json()["data"]
        assert (data["records"], data["pagination"]["total_pages"]) == ([], 0)

    @together(
        "query",
        [
            {"page_size": 0},
            {"page_size": 101},
            {"page": 0},
            {"page": 10**18},
            {"page": "x"},
            {"agent_id": "x"},
            {"start_date": "2025-13-01"},
            {"start_date": "08.11.2025"},
            {"start_date": "2025-11-09", "end_date": "2025-11-08"},
            {"end_date": "9999-12-31"},
        ],
    )
    async def test_bad_queries(self, user: httpx.AsyncClient, query: dict[str, Any]) -> None:
        assert refusal(await user.get(RECORDS, params=query)) == (400, "INVALID_PARAM")


class TestAgents:
    async def test_create_and_list(self, user: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
        body = {"name": "智能客服", "greeting": "您好", "config": {"voice": "x"}}
        created = (await user.post("/api/v1/agents", json=body)).json()["data"]
        assert list(created) == [
            *("id", "name", "type", "system_prompt", "greeting", "config"),
            *("is_active", "shared", "created_at", "updated_at"),
        ]
        assert (created["type"], created["shared"], created["config"]) == ("voice", False, {"voice": "x"})
        listed = (await user.get("/api/v1/agents")).json()["data"]
        assert listed["agents"] == [created]
        assert listed["pagination"] == {"page": 1, "page_size": 20, "total": 1, "total_pages": 1}
        assert (await stranger.get("/api/v1/agents")).json()["data"]["agents"] == []

    @together("body", [{}, {"name": ""}, {"name": "x" * 256}, {"name": "x", "config": 1}, {"name": "\u0000"}])
    async def test_bad_bodies(self, user: httpx.AsyncClient, body: dict[str, Any]) -> None:
        assert refusal(await user.post("/api/v1/agents", json=body)) == (400, "INVALID_PARAM")

    async def test_a_shared_agent_serves_everybody(self, service: Any, user: httpx.AsyncClient) -> None:
        async with service.runtime.system.pool.connection() as connection:
            cursor = await connection.execute("INSERT INTO public.agents (name) VALUES ('共享') RETURNING id")
            row = await cursor.fetchone()
        assert (await user.get("/api/v1/agents")).json()["data"]["agents"][0]["shared"] is True
        assert (await user.post(RECORDS, json=call_body(str(row["id"])))).status_code == 200


@together(
    ("changes", "rule"),
    [
        ({"caller_name": "x" * 256}, "caller_name：长度不能超过255"),
        ({"agent_id": "x"}, "agent_id：应为 UUID"),
        ({"start_time": "yesterday"}, "start_time：应为带时区的时间，形如 2025-11-08T10:00:00Z"),
        ({"metadata": []}, "metadata：应为对象"),
        ({"nonsense": 1}, "nonsense：没有这一项"),
    ],
)
async def test_rules_are_told_in_the_users_language(
    user: httpx.AsyncClient, agent: str, changes: dict[str, Any], rule: str
) -> None:
    response = await user.post("/api/v1/call-records", json=call_body(agent) | changes)
    assert response.json()["error"]["message"] == f"参数错误：{rule}"
