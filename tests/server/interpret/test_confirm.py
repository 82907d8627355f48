"""`POST /v1/api/confirm`: confirmation over several turns (B039, G72)."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.graphs.interpret_setting import act, clarify, step
from tests.kit.app import Service
from tests.kit.model_faults import Delay
from tests.kit.model_server import ModelServer
from tests.server.interpret.conftest import API, GatedHub, Person, message, msg, rows

PATH = f"{API}/confirm"
FOUR_KEYS = ["type", "action", "params", "confirmText"]
ADD_2_4 = act(step("s1", "add", {"a": 2, "b": 4}), text="计算 2 + 4，确认吗？")


class TestContract:
    async def test_to_approve_is_to_execute(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        response = await me.confirm(decision="approve")
        assert (response.status_code, response.text) == (200, '{"success":true,"data":{"result":5}}')
        assert hub.names == ["add"]
        assert msg(await me.confirm(decision="approve")) == (409, "CONFLICT")

    async def test_changed_arguments_too(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        assert (await me.confirm(params={"a": 7, "b": 3})).json() == {"success": True, "data": {"result": 10}}
        assert [call.arguments for call in hub.called] == [{"a": 7, "b": 3}]

    async def test_to_reject_does_nothing(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        rejected = (await me.confirm(decision="reject")).json()
        assert list(rejected) == FOUR_KEYS
        assert (rejected["type"], rejected["action"], rejected["params"]) == ("rejected", "add", {"a": 2, "b": 3})
        assert rejected["confirmText"]
        assert hub.called == []
        assert (await me.session())["status"] == "done"
        assert (await me.execute()).status_code == 409
        assert ("confirm", "success", "已取消") in await me.logs()

    async def test_words_make_a_new_offer(self, me: Person, models: ModelServer, hub: GatedHub) -> None:
        await me.interpret()
        models.script("interpret", ADD_2_4)
        response = await me.confirm(text="不是三，是四")
        assert response.text == (
            '{"type":"confirm","action":"add","params":{"a":2,"b":4},"confirmText":"计算 2 + 4，确认吗？"}'
        )
        assert response.headers["x-colloquy-model"] == "openai:interpret"
        asked = models.requests("interpret")[-1]
        assert "把二和三加起来" in asked.user
        assert "不是三，是四" in asked.user
        assert message(await me.execute(params={"a": 2, "b": "x"}))[0] == 400
        assert (await me.execute(params={"a": 2, "b": 4})).json()["data"] == {"result": 6}
        assert len(hub.called) == 1

    async def test_words_may_lead_to_a_question(self, me: Person, models: ModelServer) -> None:
        await me.interpret()
        models.script("interpret", clarify("那要加几？"))
        assert (await me.confirm(text="不对")).json() == {
            "type": "clarify",
            "action": None,
            "params": {},
            "confirmText": "那要加几？",
        }
        assert msg(await me.confirm(decision="approve")) == (409, "CONFLICT")

    async def test_over_several_turns(self, service: Service, me: Person, models: ModelServer, hub: GatedHub) -> None:
        await me.interpret()
        models.script("interpret", ADD_2_4)
        for _ in range(3):
            assert (await me.confirm(text="再改改")).json()["type"] == "confirm"
        assert (await me.confirm(decision="approve")).json()["data"] == {"result": 6}
        assert hub.names == ["add"]
        assert len(await rows(service, "SELECT FROM interpret.sessions")) == 1


class TestRefusals:
    async def test_anonymous(self, anonymous: httpx.AsyncClient, me: Person) -> None:
        body = {"sessionId": "s1", "userId": me.id, "decision": "approve"}
        assert msg(await anonymous.post(PATH, json=body)) == (401, "UNAUTHORIZED")

    async def test_a_stranger(self, me: Person, them: Person, hub: GatedHub) -> None:
        await me.interpret()
        assert msg(await them.confirm(decision="approve")) == (409, "CONFLICT")
        body = {"sessionId": "s1", "userId": me.id, "decision": "approve"}
        assert msg(await them.client.post(PATH, json=body)) == (403, "FORBIDDEN")
        assert hub.called == []

    async def test_nothing_pending(self, me: Person) -> None:
        answers: list[dict[str, Any]] = [{"decision": "approve"}, {"text": "好"}, {"params": {}}]
        for answer in answers:
            assert msg(await me.confirm(**answer)) == (409, "CONFLICT")

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"decision": "approve", "text": "好"},
            {"decision": "approve", "params": {}},
            {"text": "好", "params": {"a": 1, "b": 1}},
            {"decision": "edit"},
            {"text": " "},
            {"text": "长" * 8001},
            {"params": []},
            {"decision": "approve", "action": "wipe"},
        ],
    )
    async def test_a_broken_rule(self, me: Person, hub: GatedHub, answer: Any) -> None:
        await me.interpret()
        assert msg(await me.confirm(**answer)) == (400, "INVALID_PARAM")
        assert hub.called == []
        assert (await me.session())["status"] == "awaiting_confirm"

    async def test_arguments_that_do_not_fit(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        assert msg(await me.confirm(params={"a": "x"})) == (400, "EXEC_FAIL")
        assert hub.called == []

    async def test_of_many_at_once_one_wins(self, me: Person, hub: GatedHub) -> None:
        await me.interpret()
        answers = await asyncio.gather(
            *(me.confirm(decision="approve") for _ in range(3)), *(me.execute() for _ in range(3))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
        assert hub.names == ["add"]

    async def test_a_failed_tool_has_executes_body(self, me: Person, models: ModelServer) -> None:
        models.script("interpret", act(step("s1", "down", {})))
        await me.interpret("试试")
        assert message(await me.confirm(decision="approve"))[:2] == (502, "EXEC_FAIL")

    @pytest.mark.parametrize("settings", [{"INTERPRET_TIMEOUT_SECONDS": "0.5"}])
    async def test_words_that_take_too_long(self, me: Person, models: ModelServer, hub: GatedHub) -> None:
        await me.interpret()
        models.script("interpret", Delay(20, ADD_2_4))
        assert msg(await me.confirm(text="不是三，是四")) == (504, "TIMEOUT")
        assert (await me.session())["status"] == "failed"
        assert (await me.execute()).status_code == 409
        assert hub.called == []


class TestIdempotency:
    async def test_each_answer_is_given_again(self, me: Person, models: ModelServer, hub: GatedHub) -> None:
        await me.interpret()
        models.script("interpret", ADD_2_4)
        answers: dict[str, Any] = {"k1": {"text": "是四"}, "k2": {"decision": "approve"}}
        for key, answer in answers.items():
            first, again = [await me.confirm(headers={"idempotency-key": key}, **answer) for _ in range(2)]
            assert (first.status_code, first.text) == (200, again.text)
        assert models.calls("interpret") == 2
        assert hub.names == ["add"]

    async def test_a_rejection_too(self, me: Person) -> None:
        await me.interpret()
        answers = [await me.confirm(headers={"idempotency-key": "k"}, decision="reject") for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert answers[0].json()["type"] == "rejected"
