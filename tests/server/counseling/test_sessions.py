"""A session from start to finalize (T20): exact bodies, numbers without gaps, both forms of `/sessions/last` (K10)."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.kit.cases import together
from tests.kit.model_faults import Delay, Status
from tests.kit.model_server import ModelServer
from tests.kit.waiting import until
from tests.server.counseling.conftest import (
    ASSIGNMENT,
    DIARY,
    SLOTS,
    School,
    execute,
    is_uuid,
    refusal,
    rows,
    unknown,
)


def keys(response: httpx.Response) -> list[str]:
    return list(response.json())


async def test_t20(school: School, models: ModelServer) -> None:
    s1 = school.s1
    for _ in range(2):
        await s1.session()
    started = await s1.start()
    assert keys(started) == ["sessionId", "sessionNumber"]
    assert started.json()["sessionNumber"] == 3
    third = started.json()["sessionId"]
    assert is_uuid(third)
    numbers = [r.json()["sessionNumber"] for r in await asyncio.gather(*(s1.start() for _ in range(8)))]
    assert sorted(numbers) == list(range(4, 12))

    said = [s1.say(third, f"第{n}句", "ai" if n % 2 else "user") for n in range(20)]
    assert [r.json() for r in await asyncio.gather(*said)] == [{"ok": True}] * 20
    detail = (await s1.client.get(f"/sessions/{third}")).json()
    assert {line["content"] for line in detail["chatHistory"]} == {f"第{n}句" for n in range(20)}
    assert all(list(line) == ["speaker", "content", "timestamp"] for line in detail["chatHistory"])
    assert detail["chatHistory"][0]["timestamp"] == "2025-09-23T02:00:00.000Z"

    finalized = await s1.finalize(third)
    assert keys(finalized) == ["diary", "activityJson", "ltm"]
    body = finalized.json()
    assert body["diary"] == DIARY
    assert json.loads(body["activityJson"]) == {"summary": "这周去了一次食堂。", "mood": "有点紧张"}
    assert list(body["ltm"]) == list(SLOTS)
    asked = models.requests("diary")[0].user
    assert "ai: 第1句" in asked
    assert "user: 第0句" in asked
    query = "SELECT long_term_memory AS m FROM counseling.visitor_instances WHERE owner_id = %s"
    [kept] = await rows(school.service, query, s1.id)
    assert kept["m"] == body["ltm"]
    versions = await rows(school.service, "SELECT content FROM counseling.long_term_memory_versions")
    assert [row["content"] for row in versions] == [body["ltm"]]
    await _is_read(school, third)


async def _is_read(school: School, third: str) -> None:
    s1, homework = school.s1, [{"title": ASSIGNMENT, "status": "assigned"}]
    last = await s1.client.get("/sessions/last", params={"visitorInstanceId": s1.instance})
    assert keys(last) == ["sessionId", "sessionNumber", "chatHistory"]
    assert (last.json()["sessionNumber"], last.json()["chatHistory"]) == (11, [])
    done = await s1.client.get("/sessions/last", params={"visitorInstanceId": s1.instance, "view": "completed"})
    assert keys(done) == ["sessionId", "sessionNumber", "sessionDiary", "preSessionActivity", "homework"]
    summary = done.json()
    assert (summary["sessionId"], summary["sessionNumber"], summary["homework"]) == (third, 3, homework)
    assert json.loads(summary["preSessionActivity"])["summary"] == "这周去了一次食堂。"
    detail = await s1.client.get(f"/sessions/{third}")
    assert keys(detail) == [
        *("sessionId", "sessionNumber", "chatHistory", "sessionDiary", "preSessionActivity", "homework")
    ]
    assert detail.json()["preSessionActivity"]["summary"] == "这周去了一次食堂。"
    assert (detail.json()["sessionDiary"], detail.json()["homework"]) == (DIARY, homework)
    page = await s1.client.get("/sessions/list", params={"visitorInstanceId": s1.instance, "page": 1, "pageSize": 20})
    assert keys(page) == ["items", "page", "pageSize"]
    items = page.json()["items"]
    assert [item["sessionNumber"] for item in items] == list(range(11, 0, -1))
    assert list(items[0]) == ["sessionId", "sessionNumber", "createdAt", "hasDiary", "hasActivity"]
    assert {item["sessionNumber"]: (item["hasDiary"], item["hasActivity"]) for item in items} == {
        number: (number == 3, number == 3) for number in range(1, 12)
    }
    assert items[0]["createdAt"] == "2025-09-23T02:00:00.000Z"
    second = await s1.client.get("/sessions/list", params={"visitorInstanceId": s1.instance, "page": 2, "pageSize": 4})
    assert [item["sessionNumber"] for item in second.json()["items"]] == [7, 6, 5, 4]


async def test_a_number_of_ones_own(school: School) -> None:
    """G48."""
    s1 = school.s1
    assert (await s1.start(auto=False, sessionNumber=5)).json()["sessionNumber"] == 5
    assert refusal(await s1.start(auto=False, sessionNumber=5)) == (409, "session_number_taken")
    assert (await s1.start()).json()["sessionNumber"] == 6
    assert refusal(await s1.start(auto=False)) == (400, "invalid_param")


@together(
    "body",
    [{}, {"visitorInstanceId": 1}, {"visitorInstanceId": "x", "auto": "yes"}, {"visitorInstanceId": "x", "more": 1}],
)
async def test_a_start_that_breaks_a_rule(school: School, body: dict[str, Any]) -> None:
    assert refusal(await school.s1.client.post("/sessions/start", json=body)) == (400, "invalid_param")


@together(
    "body",
    [
        {"speaker": "assistant", "content": "x"},
        {"speaker": "user"},
        {"speaker": "user", "content": " \n"},
        {"speaker": "user", "content": "\x00"},
        {"speaker": "user", "content": "长" * 10_001},
    ],
)
async def test_a_message_that_breaks_a_rule(school: School, body: dict[str, Any]) -> None:
    session = await school.s1.session()
    response = await school.s1.client.post(f"/sessions/{session}/messages", json=body)
    assert refusal(response) == (400, "invalid_param")
    assert (await school.s1.client.get(f"/sessions/{session}")).json()["chatHistory"] == []


@pytest.mark.parametrize("id_", ["nonsense", "00000000-0000-4000-8000-000000000000"])
async def test_what_does_not_exist(school: School, id_: str) -> None:
    """E008: also an id that cannot exist is 404."""
    client = school.s1.client
    for response in (
        await client.get(f"/sessions/{id_}"),
        await client.post(f"/sessions/{id_}/messages", json={"speaker": "user", "content": "x"}),
        await client.post(f"/sessions/{id_}/finalize", json={}),
        await client.post(f"/sessions/{id_}/reply"),
        await client.get("/sessions/list", params={"visitorInstanceId": id_}),
        await school.s1.start(id_),
        await client.get("/questions", params={"sessionId": id_}),
    ):
        assert refusal(response) == (404, "not_found")


async def test_no_session_yet(school: School) -> None:
    for view in ({}, {"view": "completed"}):
        params = {"visitorInstanceId": school.s1.instance} | view
        assert refusal(await school.s1.client.get("/sessions/last", params=params)) == (404, "not_found")
    params = {"visitorInstanceId": school.s1.instance, "view": "summary"}
    assert refusal(await school.s1.client.get("/sessions/last", params=params)) == (400, "invalid_param")


async def test_what_both_sides_said_keeps_its_source(school: School, models: ModelServer) -> None:
    """W32, G47: the client posts for both sides, the server answers for the visitor."""
    session = await school.s1.session()
    await school.s1.say(session, "你好", "user")
    await school.s1.say(session, "嗯。", "ai")
    await school.s1.say(session, "今天想谈什么？", "user")
    reply = await school.s1.client.post(f"/sessions/{session}/reply")
    assert reply.json() == {"reply": "嗯……我不太想说这个。"}
    [row] = await rows(school.service, "SELECT chat_history AS h FROM counseling.sessions WHERE id = %s", session)
    assert [(line["speaker"], line["source"]) for line in row["h"]] == [
        *(("user", "client"), ("ai", "client"), ("user", "client"), ("ai", "server"))
    ]
    # Asked again, the visitor says the same, and nothing is appended.
    assert (await school.s1.client.post(f"/sessions/{session}/reply")).json() == reply.json()
    assert models.calls("reply") == 1
    assert len((await school.s1.client.get(f"/sessions/{session}")).json()["chatHistory"]) == 4


async def test_a_reply_as_it_comes(school: School) -> None:
    session = await school.s1.session()
    await school.s1.say(session)
    headers = {"accept": "text/event-stream"}
    response = await school.s1.client.post(f"/sessions/{session}/reply", headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    names = [line.removeprefix("event: ") for line in response.text.splitlines() if line.startswith("event: ")]
    data = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert set(names[:-1]) == {"delta"}
    assert names[-1] == "result"
    assert "".join(one["text"] for one in data[:-1]) == data[-1]["reply"] == "嗯……我不太想说这个。"


async def test_a_reply_that_the_model_does_not_give(school: School, models: ModelServer) -> None:
    models.script("reply", Status(400))
    session = await school.s1.session()
    await school.s1.say(session)
    assert (await school.s1.client.post(f"/sessions/{session}/reply")).status_code == 502
    headers = {"accept": "text/event-stream"}
    response = await school.s1.client.post(f"/sessions/{session}/reply", headers=headers)
    assert "event: error" in response.text
    assert '"code":"model_failed"' in response.text.replace(" ", "")
    assert len((await school.s1.client.get(f"/sessions/{session}")).json()["chatHistory"]) == 1


async def test_a_history_that_is_full(school: School) -> None:
    session = await school.s1.session()
    await execute(
        school.service,
        "UPDATE counseling.sessions SET chat_history = (SELECT jsonb_agg(jsonb_build_object("
        "'speaker', 'user', 'content', 'x', 'timestamp', '2025-09-23T02:00:00.000Z')) FROM generate_series(1, 1999))",
    )
    answers = await asyncio.gather(*(school.s1.say(session) for _ in range(3)))
    assert sorted(r.status_code for r in answers) == [200, 409, 409]
    assert refusal(await school.s1.say(session)) == (409, "chat_history_full")


async def test_a_clock_that_jumps(school: School) -> None:
    """Numbers and order do not hang on it: the newest is the one of the highest number."""
    await school.s1.session()
    school.clock.move(days=-30)
    await school.s1.session()
    school.clock.move(days=200)
    await school.s1.session()
    school.clock.move(days=-170, hours=-1)
    session = await school.s1.session()
    await school.s1.say(session)
    assert (await school.s1.finalize(session)).status_code == 200
    params = {"visitorInstanceId": school.s1.instance}
    items = (await school.s1.client.get("/sessions/list", params=params)).json()["items"]
    assert [item["sessionNumber"] for item in items] == [4, 3, 2, 1]
    assert (await school.s1.client.get("/sessions/last", params=params)).json()["sessionNumber"] == 4


async def test_a_session_is_not_held_up_by_an_unfinished_one(school: School, models: ModelServer) -> None:
    models.script("diary", Delay(1, DIARY))
    first = await school.s1.session()
    await school.s1.say(first)
    finalizing = asyncio.create_task(school.s1.finalize(first))
    await until(lambda: models.calls("diary") > 0)
    second = await school.s1.session()
    assert (await school.s1.say(second)).status_code == 200
    # What is said now would be in no diary.
    assert refusal(await school.s1.say(first)) == (409, "session_finalized")
    assert refusal(await school.s1.client.post(f"/sessions/{first}/reply")) == (409, "session_finalized")
    assert (await finalizing).status_code == 200


async def test_foreign_and_unknown_are_told_apart(school: School) -> None:
    """G59: 404 for what does not exist, 403 for what is another's."""
    session = await school.s2.session()
    assert refusal(await school.s1.client.get(f"/sessions/{session}")) == (403, "forbidden")
    assert refusal(await school.s1.client.get(f"/sessions/{unknown()}")) == (404, "not_found")
    assert refusal(await school.s1.start(school.s2.instance)) == (403, "forbidden")


async def test_deletion_of_a_student_removes_everything(school: School) -> None:
    """G71: rows, threads, checkpoints, the line of the list; others' stay."""
    session = await school.s1.session()
    await school.s1.say(session)
    await school.s1.client.post(f"/sessions/{session}/reply")
    await school.s1.finalize(session)
    await school.s1.hand_in(session)
    await school.s1.client.post("/questions", json={"sessionId": session, "content": "为什么？"})
    await school.ta1.client.post("/assistant/feedback", json={"sessionId": session, "content": "好"})
    other = await school.s2.session()
    await school.ad.client.get("/assistant-class/compliance")
    await execute(school.service, "DELETE FROM auth.users WHERE id = %s", school.s1.id)
    for table, column in {
        "users": "auth_user_id",
        "visitor_instances": "owner_id",
        "sessions": "student_id",
        "long_term_memory_versions": "student_id",
        "thought_records": "student_id",
        "questions": "student_id",
        "assistant_feedback": "student_id",
        "assistant_students": "student_id",
        "weekly_compliance": "student_id",
    }.items():
        left = await rows(school.service, f"SELECT {column}::text AS whose FROM counseling.{table}")
        assert school.s1.id not in {row["whose"] for row in left}, table
    listed = await rows(school.service, "SELECT email FROM counseling.whitelist_emails")
    assert "s1@example.edu" not in {row["email"] for row in listed}
    assert await rows(school.service, "SELECT FROM platform.threads WHERE owner_id = %s", school.s1.id) == []
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        assert await rows(school.service, f"SELECT FROM checkpoints.{table}") == []
    assert refusal(await school.s1.client.get("/me")) == (401, "unauthorized")
    assert (await school.s2.client.get(f"/sessions/{other}")).status_code == 200
