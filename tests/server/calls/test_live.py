"""Calls under way: messages one by one, and a summary that begins when the call ends (additive)."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from server.calls import record_statements
from tests.kit.app import Service
from tests.kit.cases import together
from tests.kit.model_faults import Delay, Status
from tests.kit.model_server import ModelServer
from tests.kit.waiting import until
from tests.server.calls.conftest import MESSAGES, refusal

RECORDS = "/api/v1/call-records"
ANSWER = "<request>{0}</request><key_information>2980元</key_information><outcome>再联系</outcome>"
ENDS = {"end_time": "2025-11-08T10:05:30Z", "hangup_reason": "user", "messages": MESSAGES}


def said(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, "timestamp": 1} | more


async def state(user: httpx.AsyncClient, call: str) -> dict[str, Any]:
    response = await user.get(f"{RECORDS}/{call}/summary")
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def settled(user: httpx.AsyncClient, call: str) -> dict[str, Any]:
    """The state once nothing is under way any more."""
    async with asyncio.timeout(10):
        while (found := await state(user, call))["state"] in ("pending", "running"):
            await asyncio.sleep(0.02)
    return found


async def end(user: httpx.AsyncClient, call: str, **headers: str) -> httpx.Response:
    return await user.patch(f"{RECORDS}/{call}", params={"summarize": "true"}, json=ENDS, headers=headers)


class TestAccess:
    @pytest.mark.parametrize(("method", "tail"), [("POST", "messages"), ("GET", "summary")])
    async def test_needs_a_valid_key(self, anonymous: httpx.AsyncClient, method: str, tail: str) -> None:
        path = f"{RECORDS}/{UUID(int=1)}/{tail}"
        assert refusal(await anonymous.request(method, path, json=said("x"))) == (401, "UNAUTHORIZED")

    @pytest.mark.parametrize(("method", "tail"), [("POST", "messages"), ("GET", "summary")])
    async def test_a_stranger_finds_nothing(
        self, user: httpx.AsyncClient, stranger: httpx.AsyncClient, talked: str, method: str, tail: str
    ) -> None:
        for call in (talked, str(uuid4())):
            response = await stranger.request(method, f"{RECORDS}/{call}/{tail}", json=said("x"))
            assert refusal(response) == (404, "NOT_FOUND")
        assert refusal(await end(stranger, talked)) == (404, "NOT_FOUND")
        data = (await user.get(f"{RECORDS}/{talked}")).json()["data"]
        assert (data["messages"], data["end_time"]) == (MESSAGES, None)


class TestMessages:
    async def test_one_by_one(self, user: httpx.AsyncClient, call: str) -> None:
        for number, message in enumerate(MESSAGES):
            response = await user.post(f"{RECORDS}/{call}/messages", json=message)
            assert response.json() == {
                "success": True,
                "data": {"id": call, "position": number, "total_messages": number + 1},
            }
        assert (await user.get(f"{RECORDS}/{call}")).json()["data"]["messages"] == MESSAGES

    async def test_many_at_once_are_all_there(self, user: httpx.AsyncClient, call: str) -> None:
        answers = await asyncio.gather(
            *(user.post(f"{RECORDS}/{call}/messages", json=said(str(number))) for number in range(20))
        )
        messages = (await user.get(f"{RECORDS}/{call}")).json()["data"]["messages"]
        for number, answer in enumerate(answers):
            assert messages[answer.json()["data"]["position"]]["content"] == str(number)
        assert len(messages) == 20

    async def test_with_its_position_it_is_there_once(self, user: httpx.AsyncClient, call: str) -> None:
        answers = await asyncio.gather(
            *(user.post(f"{RECORDS}/{call}/messages", json=said("a", position=0)) for _ in range(5))
        )
        assert {answer.text for answer in answers} == {answers[0].text}
        assert answers[0].json()["data"] == {"id": call, "position": 0, "total_messages": 1}
        assert (await user.get(f"{RECORDS}/{call}")).json()["data"]["messages"] == [said("a")]

    async def test_a_position_that_is_anothers_or_too_far(self, user: httpx.AsyncClient, talked: str) -> None:
        for position in (0, 1, 3, 4999):
            response = await user.post(f"{RECORDS}/{talked}/messages", json=said("b", position=position))
            assert refusal(response) == (409, "MESSAGE_POSITION")
        assert (await user.post(f"{RECORDS}/{talked}/messages", json=said("b", position=2))).status_code == 200

    async def test_there_is_an_end(self, user: httpx.AsyncClient, talked: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(record_statements, "MAX_MESSAGES", 3)
        assert (await user.post(f"{RECORDS}/{talked}/messages", json=said("b"))).status_code == 200
        for more in ({}, {"position": 3}):
            response = await user.post(f"{RECORDS}/{talked}/messages", json=said("c", **more))
            assert refusal(response) == (409, "TRANSCRIPT_FULL")

    async def test_a_transcript_has_a_size(self, user: httpx.AsyncClient, call: str) -> None:
        half = said("字" * 400_000)
        assert (await user.post(f"{RECORDS}/{call}/messages", json=half)).status_code == 200
        assert refusal(await user.post(f"{RECORDS}/{call}/messages", json=half)) == (409, "TRANSCRIPT_FULL")
        assert (await user.post(f"{RECORDS}/{call}/messages", json=said("短"))).status_code == 200

    @together(
        "body",
        [
            {},
            [],
            said("x", role="ai"),
            said("a\u0000"),
            said("x", timestamp=-1),
            said("x", timestamp="1"),
            said("x", more=1),
            said("x", position=-1),
            said("x", position="0"),
            said("x", position=5000),
        ],
    )
    async def test_bad_bodies(self, user: httpx.AsyncClient, talked: str, body: Any) -> None:
        assert refusal(await user.post(f"{RECORDS}/{talked}/messages", json=body)) == (400, "INVALID_PARAM")
        assert (await user.get(f"{RECORDS}/{talked}")).json()["data"]["messages"] == MESSAGES


class TestSummaryInTheBackground:
    async def test_the_answer_does_not_wait_and_the_state_tells(
        self, user: httpx.AsyncClient, call: str, models: ModelServer
    ) -> None:
        models.script("summary", Delay(0.5, ANSWER.format("问价")))
        assert await state(user, call) == {"state": "none", "summary": None, "error": None}
        patched = await end(user, call)
        assert patched.json()["data"]["hangup_reason"] == "user"
        assert (await state(user, call))["state"] in ("pending", "running")
        found = await settled(user, call)
        assert (found["state"], found["error"]) == ("done", None)
        assert "问价" in found["summary"]
        assert (await user.get(f"{RECORDS}/{call}")).json()["data"]["summary"] == found["summary"]
        assert models.calls("summary") == 1

    async def test_asking_again_while_it_runs_makes_no_second_one(
        self, user: httpx.AsyncClient, call: str, models: ModelServer
    ) -> None:
        models.script("summary", Delay(0.5, ANSWER.format("问价")))
        await end(user, call)
        await until(lambda: models.calls("summary") == 1)
        assert {(await end(user, call)).status_code for _ in range(3)} == {200}
        assert (await settled(user, call))["state"] == "done"
        assert models.calls("summary") == 1

    async def test_what_was_said_meanwhile_is_summarised_next(
        self, user: httpx.AsyncClient, call: str, models: ModelServer
    ) -> None:
        models.script("summary", Delay(0.5, ANSWER.format("问价")), ANSWER.format("退货"))
        await end(user, call)
        await until(lambda: models.calls("summary") == 1)
        await user.post(f"{RECORDS}/{call}/messages", json=said("我要退货"))
        for _ in range(3):
            response = await user.patch(f"{RECORDS}/{call}", params={"summarize": "true"}, json={})
            assert response.status_code == 200
        found = await settled(user, call)
        assert "退货" in found["summary"]
        assert "我要退货" in models.requests("summary")[1].user
        assert models.calls("summary") == 2

    async def test_a_failure_is_told_and_the_old_summary_stays(
        self, user: httpx.AsyncClient, call: str, models: ModelServer
    ) -> None:
        models.script("summary", ANSWER.format("问价"), Status(401))
        await end(user, call)
        before = await settled(user, call)
        await end(user, call)
        found = await settled(user, call)
        assert (found["state"], found["error"]["code"]) == ("failed", "SUMMARY_FAILED")
        assert found["summary"] == before["summary"]

    async def test_nothing_to_summarise_changes_nothing(self, user: httpx.AsyncClient, call: str) -> None:
        body = ENDS | {"messages": [said(" … ")]}
        response = await user.patch(f"{RECORDS}/{call}", params={"summarize": "true"}, json=body)
        assert refusal(response) == (400, "NO_MESSAGES")
        data = (await user.get(f"{RECORDS}/{call}")).json()["data"]
        assert (data["end_time"], data["messages"]) == (None, [])
        assert (await state(user, call))["state"] == "none"

    async def test_one_at_once_is_refused_while_it_runs(
        self, user: httpx.AsyncClient, call: str, models: ModelServer
    ) -> None:
        models.script("summary", Delay(0.5, ANSWER.format("问价")))
        await end(user, call)
        response = await user.post(f"{RECORDS}/{call}/generate-summary")
        assert refusal(response) == (409, "SUMMARY_RUNNING")
        await settled(user, call)

    async def test_a_key_makes_one(self, user: httpx.AsyncClient, call: str, models: ModelServer) -> None:
        models.script("summary", ANSWER.format("问价"))
        for _ in range(2):
            assert (await end(user, call, **{"idempotency-key": "k"})).status_code == 200
            await settled(user, call)
        assert models.calls("summary") == 1

    async def test_without_the_word_none_is_made(
        self, service: Service, user: httpx.AsyncClient, call: str, models: ModelServer
    ) -> None:
        await user.patch(f"{RECORDS}/{call}", json=ENDS)
        await user.patch(f"{RECORDS}/{call}", json=ENDS, params={"summarize": "false"})
        assert (await state(user, call))["state"] == "none"
        assert models.calls("summary") == 0

    async def test_a_value_that_is_none(self, user: httpx.AsyncClient, call: str) -> None:
        response = await user.patch(f"{RECORDS}/{call}", params={"summarize": "maybe"}, json=ENDS)
        assert refusal(response) == (400, "INVALID_PARAM")
