"""`POST /v1/api/execute`: what was offered is done, once (B027–B030, G16–G18; scenarios T06 and T07 with fakes)."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.graphs.interpret_setting import act, step
from tests.kit.app import Service
from tests.kit.model_server import ModelServer
from tests.server.interpret.conftest import (
    API,
    APPEND,
    GatedHub,
    Person,
    message,
    rows,
    thread_of,
)

PATH = f"{API}/execute"
NOTHING = (409, "EXEC_FAIL", "没有待确认的操作")


class TestContract:
    async def test_the_result_is_answered_to_the_last_key(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        response = await me.execute()
        assert (response.status_code, response.text) == (200, '{"success":true,"data":{"result":5}}')
        assert hub.names == ["add"]
        assert (await me.session())["status"] == "done"
        assert [step for step, _status, _message in await me.logs()] == ["interpret", "confirm", "execute", "report"]

    async def test_a_text_is_answered_as_content(self, me: Person, models: ModelServer) -> None:
        models.script("interpret", APPEND)
        await me.interpret("追加")
        response = await me.execute("append", {"text": "第一行"})
        assert response.json() == {
            "success": True,
            "data": {"content": [{"type": "text", "text": "第一行"}], "text": "第一行"},
        }

    async def test_changed_arguments_are_sent(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        assert (await me.execute(params={"a": 20, "b": 3})).json()["data"] == {"result": 23}
        assert [call.arguments for call in hub.called] == [{"a": 20, "b": 3}]

    async def test_arguments_stay_out_of_the_log_and_the_journal(self, service: Service, me: Person) -> None:
        await me.interpret()
        await me.execute(params={"a": 4417001, "b": 3})
        logs = await rows(service, "SELECT message FROM interpret.logs")
        calls = await rows(
            service, "SELECT step, tool, server, state, outcome, length(arguments_sha256) FROM interpret.tool_calls"
        )
        assert "4417001" not in str(logs)
        assert "4417001" not in str(calls)
        assert [(row["tool"], row["state"], row["length"]) for row in calls] == [("add", "done", 32)]


class TestRefusals:
    async def test_anonymous(self, anonymous: httpx.AsyncClient, me: Person) -> None:
        body = {"sessionId": "s1", "userId": me.id, "action": "add", "params": {}}
        assert message(await anonymous.post(PATH, json=body))[:2] == (401, "UNAUTHORIZED")

    async def test_who_names_somebody_else(self, me: Person, them: Person, hub: GatedHub) -> None:
        await me.interpret()
        body = {"sessionId": "s1", "userId": me.id, "action": "add", "params": {"a": 2, "b": 3}}
        assert message(await them.client.post(PATH, json=body))[:2] == (403, "FORBIDDEN")
        assert hub.called == []

    async def test_a_stranger_has_nothing_pending_on_my_session(self, me: Person, them: Person, hub: GatedHub) -> None:
        await me.interpret()
        assert message(await them.execute()) == NOTHING
        assert hub.called == []
        assert (await me.execute()).status_code == 200

    async def test_without_an_offer(self, service: Service, me: Person, hub: GatedHub) -> None:
        assert message(await me.execute()) == NOTHING
        assert hub.called == []
        assert await rows(service, "SELECT FROM interpret.sessions") == []

    async def test_twice(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        assert (await me.execute()).status_code == 200
        assert message(await me.execute()) == NOTHING
        assert hub.names == ["add"]

    async def test_of_many_at_once_one_wins(self, me: Person, models: ModelServer, hub: GatedHub) -> None:
        models.script("interpret", APPEND)
        for count in (1, 2):
            await me.interpret("追加")
            answers = await asyncio.gather(*(me.execute("append", {"text": "第一行"}) for _ in range(6)))
            assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
            assert {message(answer) for answer in answers if answer.status_code == 409} == {NOTHING}
            assert hub.names == ["append"] * count

    async def test_another_action(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        assert message(await me.execute("wipe", {"path": "/"}))[:2] == (400, "EXEC_FAIL")
        assert hub.called == []
        assert (await me.execute()).status_code == 200

    @pytest.mark.parametrize("params", [{}, {"a": 2}, {"a": "2", "b": 3}, {"a": True, "b": 3}, {"a": 2.5, "b": 3}])
    async def test_arguments_that_do_not_fit(self, me: Person, hub: GatedHub, params: Any) -> None:
        await me.interpret()
        assert message(await me.execute(params=params)) == (400, "EXEC_FAIL", "参数不符合工具的要求")
        assert hub.called == []
        assert (await me.session())["status"] == "awaiting_confirm"
        assert (await me.execute()).status_code == 200

    @pytest.mark.parametrize(
        "change",
        [
            {"params": None},
            {"params": []},
            {"params": {"a": "x" * 70_000}},
            {"params": {"a": 2**70}},
            {"params": {"a": "\0"}},
            {"action": ""},
            {"action": None},
            {"sessionId": ""},
            {"text": "加"},
        ],
    )
    async def test_a_broken_rule(self, me: Person, hub: GatedHub, change: Any) -> None:
        await me.interpret()
        body = {"sessionId": "s1", "userId": me.id, "action": "add", "params": {"a": 2, "b": 3}} | change
        assert message(await me.client.post(PATH, json=body))[:2] == (400, "INVALID_PARAM")
        assert hub.called == []

    @pytest.mark.parametrize("depth", [40, 5_000])
    async def test_arguments_too_deep(self, me: Person, depth: int) -> None:
        params = '{"a":' * depth + "1" + "}" * depth
        body = f'{{"sessionId":"s1","userId":"{me.id}","action":"add","params":{params}}}'
        response = await me.client.post(PATH, content=body, headers={"content-type": "application/json"})
        assert message(response)[:2] == (400, "INVALID_PARAM")


class TestFailures:
    """G18: the status says what kind of failure, the body is always the seed's."""

    @pytest.mark.parametrize(
        ("tool", "expected"),
        [
            ("fails", (200, "EXEC_FAIL", "调用失败")),
            ("down", (502, "EXEC_FAIL", "工具服务暂时不可用，请稍后再试")),
            ("late", (504, "EXEC_FAIL", "工具执行超时")),
        ],
    )
    async def test_of_a_tool(self, me: Person, models: ModelServer, tool: str, expected: Any) -> None:
        models.script("interpret", act(step("s1", tool, {})))
        await me.interpret("试试")
        response = await me.execute(tool, {})
        assert message(response) == expected
        assert "内部细节" not in response.text
        assert (await me.session())["status"] == "failed"
        assert ("report", "failed", f"{tool}: {'error' if tool != 'late' else 'unknown'}") in await me.logs()

    async def test_a_tool_that_is_gone(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        hub.remove("add")
        assert message(await me.execute()) == (400, "EXEC_FAIL", "没有这个工具")

    @pytest.mark.parametrize("settings", [{"EXECUTE_TIMEOUT_SECONDS": "0.4"}])
    async def test_a_tool_that_takes_long_goes_on(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        hub.gate.clear()
        assert message(await me.execute())[:2] == (504, "EXEC_FAIL")
        assert (await me.session())["status"] == "executing"
        assert message(await me.execute()) == NOTHING
        hub.gate.set()
        await me.until("done")
        assert (await me.session())["result"]["data"] == {"result": 5}
        assert hub.names == ["add"]

    async def test_a_run_that_is_cancelled(self, service: Service, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        hub.gate.clear()
        executed = asyncio.create_task(me.execute())
        await me.until("executing")
        [row] = await rows(service, "SELECT id FROM platform.runs WHERE status = 'running'")
        thread = await thread_of(service)
        cancelled = await me.client.post(f"/threads/{thread}/runs/{row['id']}/cancel")
        assert cancelled.status_code < 300
        assert message(await executed) == (409, "CANCELLED", "处理已被取消")
        assert (await me.session())["status"] == "failed"


class TestIdempotency:
    async def test_asking_twice_gives_the_same_answer(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        first = await me.execute(**{"idempotency-key": "k1"})
        again = await me.execute(**{"idempotency-key": "k1"})
        assert (again.status_code, again.text) == (200, first.text)
        assert hub.names == ["add"]

    async def test_at_once_too(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        answers = await asyncio.gather(*(me.execute(**{"idempotency-key": "k1"}) for _ in range(4)))
        assert [answer.json() for answer in answers] == [{"success": True, "data": {"result": 5}}] * 4
        assert hub.names == ["add"]

    async def test_a_key_is_for_one_request(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        await me.execute(**{"idempotency-key": "k1"})
        await me.interpret()
        again = await me.execute(params={"a": 1, "b": 1}, **{"idempotency-key": "k1"})
        assert message(again)[:2] == (400, "IDEMPOTENCY_KEY_REUSED")
        assert hub.names == ["add"]

    async def test_a_refused_request_burns_no_key(self, me: Person) -> None:
        assert message(await me.execute(**{"idempotency-key": "k1"})) == NOTHING
        await me.interpret()
        assert (await me.execute(**{"idempotency-key": "k1"})).status_code == 200


@pytest.mark.parametrize("settings", [{"EXECUTE_REQUIRE_CONFIRM": "0"}])
class TestDirectly:
    async def test_a_call_without_an_offer(self, me: Person, hub: GatedHub, models: ModelServer) -> None:
        assert (await me.execute()).json() == {"success": True, "data": {"result": 5}}
        assert (await me.execute()).json() == {"success": True, "data": {"result": 5}}
        assert hub.names == ["add", "add"]
        assert models.calls("interpret") == 0
        assert (await me.session())["status"] == "done"

    async def test_arguments_are_checked(self, service: Service, me: Person, hub: GatedHub) -> None:
        assert message(await me.execute(params={"a": 2}))[:2] == (400, "EXEC_FAIL")
        assert message(await me.execute("nowhere"))[:2] == (400, "EXEC_FAIL")
        assert hub.called == []
        assert await rows(service, "SELECT FROM interpret.sessions") == []

    async def test_what_is_pending_comes_first(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        assert message(await me.execute("append", {"text": "x"}))[:2] == (400, "EXEC_FAIL")
        assert (await me.execute()).status_code == 200

    async def test_one_at_a_time_on_a_session(self, me: Person, hub: GatedHub) -> None:
        hub.gate.clear()
        first = asyncio.create_task(me.execute())
        await me.until("executing")
        second = await me.execute()
        assert message(second)[:2] == (409, "EXEC_FAIL")
        hub.gate.set()
        assert (await first).status_code == 200
