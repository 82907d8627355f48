"""Answer rules over HTTP: scenario T14, and every rule of G32."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from server.calls import rule_repository
from tests.kit.app import Service
from tests.kit.cases import together
from tests.server.calls.conftest import refusal

RULES = "/api/v1/call-answer-rules"
EVALUATE = f"{RULES}/evaluate"
KEYS = ["id", "name", "enabled", "priority", "conditions", "action"]


def rule_body(agent: str | None, **changes: Any) -> dict[str, Any]:
    """The seed's."""
    action = {"answer": True, "useAgent": True, "agentId": agent, "greeting": "您好，我是AI助手"}
    return {
        "name": "工作时间自动接听",
        "enabled": True,
        "priority": 1,
        "conditions": {
            "timeRange": {"start": "09:00", "end": "18:00", "weekdays": [1, 2, 3, 4, 5]},
            "apps": {"type": "include", "list": ["企业微信", "钉钉"]},
        },
        "action": action if agent else {"answer": False},
    } | changes


async def made(user: httpx.AsyncClient, agent: str | None, **changes: Any) -> str:
    response = await user.post(RULES, json=rule_body(agent, **changes))
    assert response.status_code == 200, response.text
    return str(response.json()["data"]["id"])


@pytest.fixture
async def rule(user: httpx.AsyncClient, agent: str) -> str:
    return await made(user, agent)


class TestAccess:
    @together(
        ("method", "path"),
        [
            ("POST", RULES),
            ("GET", RULES),
            ("POST", EVALUATE),
            ("GET", f"{RULES}/{UUID(int=1)}"),
            ("PUT", f"{RULES}/{UUID(int=1)}"),
            ("DELETE", f"{RULES}/{UUID(int=1)}"),
        ],
    )
    async def test_needs_a_valid_key(self, anonymous: httpx.AsyncClient, method: str, path: str) -> None:
        assert refusal(await anonymous.request(method, path, json={})) == (401, "UNAUTHORIZED")

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_a_stranger_sees_nothing_and_changes_nothing(
        self, user: httpx.AsyncClient, stranger: httpx.AsyncClient, rule: str, method: str
    ) -> None:
        before = (await user.get(f"{RULES}/{rule}")).json()
        response = await stranger.request(method, f"{RULES}/{rule}", json=rule_body(None))
        assert refusal(response) == (404, "NOT_FOUND")
        assert (await user.get(f"{RULES}/{rule}")).json() == before
        assert (await stranger.get(RULES)).json() == {"success": True, "data": {"rules": []}}
        assert (await stranger.post(EVALUATE, json={})).json()["data"]["considered"] == []


class TestLife:
    async def test_create_read_list(self, user: httpx.AsyncClient, agent: str) -> None:
        created = (await user.post(RULES, json=rule_body(agent))).json()
        assert list(created) == ["success", "data"]
        assert list(created["data"]) == KEYS
        assert created["data"] == {"id": created["data"]["id"]} | rule_body(agent)
        assert (await user.get(f"{RULES}/{created['data']['id']}")).json() == created
        assert (await user.get(RULES)).json() == {"success": True, "data": {"rules": [created["data"]]}}

    async def test_the_list_is_by_priority_then_age(self, user: httpx.AsyncClient) -> None:
        for name, priority in (("c", 2), ("a", 1), ("d", 2), ("b", 1), ("first", -1)):
            await made(user, None, name=name, priority=priority)
        rules = (await user.get(RULES)).json()["data"]["rules"]
        assert [rule["name"] for rule in rules] == ["first", "a", "b", "c", "d"]

    async def test_replace_is_the_whole_rule(self, user: httpx.AsyncClient, rule: str) -> None:
        body = {"name": "n", "priority": 9, "conditions": {}, "action": {"answer": False}}
        replaced = (await user.put(f"{RULES}/{rule}", json=body)).json()["data"]
        assert replaced == {"id": rule, "enabled": True} | body
        assert (await user.get(f"{RULES}/{rule}")).json()["data"] == replaced

    async def test_delete(self, user: httpx.AsyncClient, rule: str) -> None:
        assert (await user.delete(f"{RULES}/{rule}")).json() == {"success": True, "data": {"id": rule}}
        assert refusal(await user.delete(f"{RULES}/{rule}")) == (404, "NOT_FOUND")
        assert refusal(await user.get(f"{RULES}/{rule}")) == (404, "NOT_FOUND")
        assert refusal(await user.put(f"{RULES}/{rule}", json=rule_body(None))) == (404, "NOT_FOUND")

    async def test_what_is_not_known_is_kept_as_it_came(self, user: httpx.AsyncClient) -> None:
        conditions = {
            "vip": {"levels": [1, 2.5, None]},
            "timeRange": {"start": "22:00", "end": "06:00", "holidays": False},
            "phones": ["138"],
        }
        action = {"answer": True, "record": {"stereo": True}}
        rule = await made(user, None, conditions=conditions, action=action)
        data = (await user.get(f"{RULES}/{rule}")).json()["data"]
        assert (data["conditions"], data["action"]) == (conditions, action)

    async def test_there_is_a_limit_also_for_many_at_once(
        self, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rule_repository, "MOST_RULES", 3)
        answers = await asyncio.gather(*(user.post(RULES, json=rule_body(None)) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, *[409] * 5]
        assert {refusal(answer) for answer in answers if answer.status_code == 409} == {(409, "RULE_LIMIT")}
        assert len((await user.get(RULES)).json()["data"]["rules"]) == 3


class TestAgents:
    async def test_an_unknown_or_anothers_agent(
        self, user: httpx.AsyncClient, stranger: httpx.AsyncClient, agent: str, rule: str
    ) -> None:
        assert refusal(await stranger.post(RULES, json=rule_body(agent))) == (404, "AGENT_NOT_FOUND")
        assert refusal(await user.post(RULES, json=rule_body(str(uuid4())))) == (404, "AGENT_NOT_FOUND")
        theirs = (await stranger.post("/api/v1/agents", json={"name": "x"})).json()["data"]["id"]
        before = (await user.get(RULES)).json()
        assert refusal(await user.put(f"{RULES}/{rule}", json=rule_body(theirs))) == (404, "AGENT_NOT_FOUND")
        assert (await user.get(RULES)).json() == before

    async def test_also_where_it_is_not_used(self, stranger: httpx.AsyncClient, agent: str) -> None:
        action = {"answer": False, "useAgent": False, "agentId": agent}
        assert refusal(await stranger.post(RULES, json=rule_body(None, action=action))) == (404, "AGENT_NOT_FOUND")

    async def test_a_shared_agent(self, service: Service, user: httpx.AsyncClient) -> None:
        async with service.runtime.system.pool.connection() as connection:
            cursor = await connection.execute("INSERT INTO public.agents (name) VALUES ('shared') RETURNING id")
            [row] = await cursor.fetchall()
        await made(user, str(row["id"]))


def hours(**changes: Any) -> dict[str, Any]:
    return {"conditions": {"timeRange": {"start": "09:00", "end": "18:00", "weekdays": [1]} | changes}}


BAD: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "x" * 256},
    {"name": None},
    {"name": "a\u0000"},
    {"enabled": "yes"},
    {"enabled": None},
    {"priority": "1"},
    {"priority": 1.0},
    {"priority": 2**31},
    {"priority": None},
    {"conditions": None},
    {"conditions": []},
    {"conditions": {"note": "\u0000"}},
    {"conditions": {"note": "x" * 20_001}},
    hours(weekdays=[0]),
    hours(weekdays=[8]),
    hours(weekdays=[]),
    hours(weekdays=["1"]),
    hours(weekdays=1),
    hours(weekdays=[True]),
    hours(start="25:00"),
    hours(start="24:00"),
    hours(start="9:00"),
    hours(start="09:60"),
    hours(start="09:00:00"),
    hours(start="09:00\n"),
    hours(start=None),
    hours(end=900),
    {"conditions": {"timeRange": None}},
    {"conditions": {"timeRange": "always"}},
    {"conditions": {"timeRange": {"start": "09:00"}}},
    {"conditions": {"apps": None}},
    {"conditions": {"apps": ["钉钉"]}},
    {"conditions": {"apps": {"type": "maybe", "list": []}}},
    {"conditions": {"apps": {"type": "include"}}},
    {"conditions": {"apps": {"type": "include", "list": "钉钉"}}},
    {"conditions": {"apps": {"type": "include", "list": [1]}}},
    {"action": None},
    {"action": {}},
    {"action": {"answer": "yes"}},
    {"action": {"answer": True, "useAgent": True}},
    {"action": {"answer": True, "useAgent": True, "agentId": None}},
    {"action": {"answer": True, "agentId": "x"}},
    {"action": {"answer": True, "greeting": 5}},
    {"action": {"answer": True, "more": "x" * 20_000}},
    {"user_id": str(uuid4())},
    {"unknown": 1},
]


class TestBadInput:
    @together("changes", BAD)
    async def test_what_breaks_a_rule_is_refused_and_changes_nothing(
        self, user: httpx.AsyncClient, changes: dict[str, Any]
    ) -> None:
        assert refusal(await user.post(RULES, json=rule_body(None, **changes))) == (400, "INVALID_PARAM")
        assert (await user.get(RULES)).json()["data"]["rules"] == []

    async def test_nor_by_a_replacement(self, user: httpx.AsyncClient, rule: str) -> None:
        before = (await user.get(RULES)).json()
        for changes in BAD:
            body = rule_body(None, **changes)
            assert refusal(await user.put(f"{RULES}/{rule}", json=body)) == (400, "INVALID_PARAM"), changes
        assert (await user.get(RULES)).json() == before

    async def test_the_sentence_names_the_place(self, user: httpx.AsyncClient) -> None:
        message = (await user.post(RULES, json=rule_body(None, **hours(start="25:00")))).json()["error"]["message"]
        assert "conditions" in message
        assert "timeRange.start" in message
        assert "09:00" in message

    @together("missing", ["name", "priority", "conditions", "action"])
    async def test_what_is_missing(self, user: httpx.AsyncClient, missing: str) -> None:
        body = rule_body(None)
        del body[missing]
        assert refusal(await user.post(RULES, json=body)) == (400, "INVALID_PARAM")

    @together("method", ["GET", "PUT", "DELETE"])
    async def test_an_id_that_is_none(self, user: httpx.AsyncClient, method: str) -> None:
        response = await user.request(method, f"{RULES}/1", json=rule_body(None))
        assert refusal(response) == (400, "INVALID_PARAM")


class TestEvaluate:
    async def test_which_and_why(self, user: httpx.AsyncClient, agent: str) -> None:
        working = await made(user, agent)
        other = await made(user, None, name="其余", priority=2, conditions={"vip": True})
        body = {"caller_app": "微信", "caller_phone": "13800000000", "time": "2025-11-10T02:00:00Z"}
        data = (await user.post(EVALUATE, json=body)).json()["data"]
        assert list(data) == ["rule", "time", "considered"]
        assert (data["rule"]["id"], data["time"]) == (other, "2025-11-10T02:00:00Z")
        assert list(data["rule"]) == KEYS
        assert data["considered"] == [
            {
                "id": working,
                "name": "工作时间自动接听",
                "priority": 1,
                "outcome": "not_met",
                "conditions": [
                    {
                        "condition": "timeRange",
                        "met": True,
                        "reason": "北京时间周一 10:00 在 周一、二、三、四、五 09:00–18:00 之内",
                    },
                    {"condition": "apps", "met": False, "reason": "来电应用“微信”不在只接的列表中"},
                ],
                "unknown_conditions": [],
            },
            {
                "id": other,
                "name": "其余",
                "priority": 2,
                "outcome": "fires",
                "conditions": [],
                "unknown_conditions": ["vip"],
            },
        ]
        data = (await user.post(EVALUATE, json=body | {"caller_app": "钉钉"})).json()["data"]
        assert data["rule"]["id"] == working
        assert data["considered"][1]["outcome"] == "not_reached"

    async def test_without_a_rule_or_a_time(self, user: httpx.AsyncClient) -> None:
        data = (await user.post(EVALUATE, json={})).json()["data"]
        assert (data["rule"], data["considered"]) == (None, [])
        assert data["time"].endswith("Z")

    @together("body", [{"time": "10:00"}, {"caller_app": 1}, {"caller_app": "x" * 51}, {"app": "x"}, []])
    async def test_bad_bodies(self, user: httpx.AsyncClient, body: Any) -> None:
        assert refusal(await user.post(EVALUATE, json=body)) == (400, "INVALID_PARAM")
