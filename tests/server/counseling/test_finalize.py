"""The end of a session: once, whatever comes twice, at once, or fails (E017–E025, G49–G53, G68, W30)."""

import asyncio
import io
import json
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from core import logging
from server.counseling import finalizing
from tests.kit.model_faults import Delay, Status
from tests.kit.model_server import ModelServer
from tests.server.counseling.conftest import DIARY, LTM, SLOTS, School, refusal, rows

NOTHING = dict.fromkeys(SLOTS, "无")


async def talked(school: School) -> str:
    session = await school.s1.session()
    await school.s1.say(session)
    return session


async def versions(school: School) -> int:
    [row] = await rows(school.service, "SELECT count(*) AS n FROM counseling.long_term_memory_versions")
    return int(row["n"])


async def test_again_gives_what_is_stored(school: School, models: ModelServer) -> None:
    session = await talked(school)
    first = await school.s1.finalize(session)
    models.script("diary", "<diary>另一篇</diary>")
    school.clock.move(hours=1)
    for person in (school.s1, school.ad):
        assert (await person.finalize(session, "别的作业")).text == first.text
    assert (models.calls("diary"), await versions(school)) == (1, 1)
    assert refusal(await school.s1.say(session)) == (409, "session_finalized")
    [row] = await rows(school.service, "SELECT finalized_at::text AS at FROM counseling.sessions")
    assert row["at"].startswith("2025-09-23 02:00:00")


async def test_two_at_once_make_one(school: School, models: ModelServer) -> None:
    models.script("diary", Delay(0.5, DIARY))
    session = await talked(school)
    first, second, third = await asyncio.gather(*(school.s1.finalize(session) for _ in range(3)))
    assert first.status_code == 200
    assert first.text == second.text == third.text
    assert [models.calls(role) for role in ("diary", "activity", "ltm")] == [1, 1, 1]
    assert await versions(school) == 1


async def test_asked_twice_with_one_key(school: School, models: ModelServer) -> None:
    session = await talked(school)
    headers = {"Idempotency-Key": "k1"}
    first = await school.s1.finalize(session, **headers)
    assert (await school.s1.finalize(session, **headers)).text == first.text
    other = await talked(school)
    assert refusal(await school.s1.finalize(other, "别的", **headers)) == (400, "idempotency_key_reused")
    assert models.calls("diary") == 1
    # What was refused has closed nothing.
    assert (await school.s1.say(other)).status_code == 200
    assert (await school.s1.finalize(other)).status_code == 200


@pytest.mark.parametrize("body", [{}, {"assignment": None}, {"assignment": " \n "}, None])
async def test_without_homework(school: School, body: dict[str, str] | None) -> None:
    """G52."""
    session = await talked(school)
    response = await school.s1.client.post(f"/sessions/{session}/finalize", json=body)
    assert response.status_code == 200
    assert (await school.s1.client.get(f"/sessions/{session}")).json()["homework"] == []


async def test_nothing_was_said(school: School, models: ModelServer) -> None:
    session = await school.s1.session()
    assert refusal(await school.s1.finalize(session)) == (400, "empty_chat_history")
    # It is as open as before.
    assert (await school.s1.say(session)).status_code == 200
    assert models.calls("diary") == 0


async def test_a_model_that_never_gives_a_valid_answer(school: School, models: ModelServer, log: io.StringIO) -> None:
    """The stated fallback, 200, an error for operators (G51, G68); a good memory is not overwritten (W30)."""
    first = await talked(school)
    await school.s1.finalize(first)
    labels = {"part": "diary"}
    before = REGISTRY.get_sample_value("colloquy_finalize_fallbacks_total", labels) or 0
    models.script("diary", "没有标签")
    models.script("activity", Status(500))
    models.script("ltm", "<longterm_memory><milestones>新的一步</milestones><discussed_topics> </discussed_topics>")
    second = await talked(school)
    response = await school.s1.finalize(second)
    assert response.status_code == 200
    body = response.json()
    assert (body["diary"], json.loads(body["activityJson"])) == ("<diary>无</diary>", {"summary": "无"})
    kept = {slot: f"{slot}：说过" for slot in SLOTS}
    assert body["ltm"] == kept | {"milestones": "新的一步"}
    assert models.calls("diary") == 4
    assert REGISTRY.get_sample_value("colloquy_finalize_fallbacks_total", labels) == before + 1
    await asyncio.to_thread(logging.flush)
    told = [json.loads(line) for line in log.getvalue().splitlines() if "finalize_fallback" in line]
    assert {line["level"] for line in told} == {"error"}
    assert "紧张" not in log.getvalue()
    [row] = await rows(school.service, "SELECT fallbacks FROM counseling.sessions WHERE id = %s", second)
    assert {"diary", "activity", "ltm"} <= set(row["fallbacks"])


async def test_the_first_memory_is_empty(school: School, models: ModelServer) -> None:
    """G53."""
    for role in ("diary", "activity", "ltm"):
        models.script(role, "")
    assert (await school.s1.finalize(await talked(school))).json()["ltm"] == NOTHING


async def test_an_operator_makes_it_once_more(school: School, models: ModelServer) -> None:
    """G68: after a bad day of the model; it stays finalised since when it was, with its homework and one version."""
    models.script("diary", Status(400))
    session = await talked(school)
    assert (await school.s1.finalize(session)).json()["diary"] == "<diary>无</diary>"
    [before] = await rows(school.service, "SELECT finalized_at, homework FROM counseling.sessions")
    models.script("diary", DIARY)
    school.clock.move(days=3)
    assert await finalizing.again(school.service.runtime, UUID(session)) == []
    [after] = await rows(school.service, "SELECT finalized_at, homework, fallbacks FROM counseling.sessions")
    assert after == {**before, "fallbacks": []}
    assert await versions(school) == 1
    assert (await school.s1.finalize(session)).json()["diary"] == DIARY
    assert refusal(await school.s1.say(session)) == (409, "session_finalized")


async def test_once_more_keeps_what_later_sessions_made(school: School, models: ModelServer) -> None:
    models.script("ltm", LTM, LTM.replace("说过", "后来"), LTM.replace("说过", "重做"))
    first, second = await talked(school), await talked(school)
    await school.s1.finalize(first)
    await school.s1.finalize(second)
    await finalizing.again(school.service.runtime, UUID(first))
    [kept] = await rows(
        school.service,
        "SELECT long_term_memory->>'milestones' AS m FROM counseling.visitor_instances WHERE owner_id = %s",
        school.s1.id,
    )
    assert kept["m"] == "milestones：后来"
    found = await rows(school.service, "SELECT content->>'milestones' AS m FROM counseling.long_term_memory_versions")
    assert {row["m"] for row in found} == {"milestones：后来", "milestones：重做"}


async def test_the_next_session_knows_what_came_before(school: School, models: ModelServer) -> None:
    await school.s1.finalize(await talked(school))
    await school.s1.finalize(await talked(school))
    asked = models.requests("ltm")[1]
    assert "milestones：说过" in asked.user + asked.system
    report = models.requests("activity")[1]
    assert "这周去了一次食堂" in report.user + report.system


@pytest.mark.parametrize("settings", [{"FINALIZE_TIMEOUT_SECONDS": "0.2"}])
async def test_a_request_that_ran_out_of_time_is_taken_up(
    school: School, models: ModelServer, settings: dict[str, str]
) -> None:
    models.script("diary", Delay(1, DIARY))
    session = await talked(school)
    assert (await school.s1.finalize(session)).status_code == 504
    async with asyncio.timeout(20):
        # Each request waits a little itself.
        while (response := await school.s1.finalize(session)).status_code == 504:
            pass
    assert response.json()["diary"] == DIARY
    assert models.calls("diary") == 1


async def test_transcripts_are_in_no_log(school: School, log: io.StringIO) -> None:
    """X033."""
    secret = "机密内容4417"
    session = await school.s1.session()
    await school.s1.say(session, secret)
    await school.s1.client.post(f"/sessions/{session}/reply")
    await school.s1.finalize(session, secret)
    await school.s1.client.post("/questions", json={"sessionId": session, "content": secret})
    await school.s1.client.post("/questions", json={"sessionId": session, "content": secret, "more": secret})
    await asyncio.to_thread(logging.flush)
    assert secret not in log.getvalue()
    assert "run_finished" in log.getvalue()


async def test_the_run_is_the_students(school: School) -> None:
    """Whoever asked for it: another cannot read its thread by the engine."""
    session = await talked(school)
    await school.ad.finalize(session)
    owners = await rows(school.service, "SELECT owner_id::text AS whose FROM platform.threads")
    assert {row["whose"] for row in owners} == {school.s1.id}


async def test_mending_keeps_what_was_good(school: School, models: ModelServer) -> None:
    """G68: the stages before the first fallback stay as they are, and a model that still fails harms nothing."""
    models.script("activity", Status(400))
    session = await talked(school)
    first = (await school.s1.finalize(session)).json()
    models.script("diary", "<diary>一篇别的</diary>")
    assert await finalizing.again(school.service.runtime, UUID(session)) != []
    assert (await school.s1.finalize(session)).json() == first
    models.script("activity", '<activity>{"summary":"补上了"}</activity>')
    assert await finalizing.again(school.service.runtime, UUID(session)) == []
    mended = (await school.s1.finalize(session)).json()
    assert (mended["diary"], json.loads(mended["activityJson"])) == (first["diary"], {"summary": "补上了"})
