"""The family with the graph that is served: scenarios T16 and T19's question."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.app import Service, running_service
from tests.kit.deep_chat import EVALUATION, NARRATIVE, TEXT, WEAK, a_plan
from tests.kit.model_server import ModelServer
from tests.server.chat.conftest import ROOT, Person, environment, events_of, somebody

WISH = "我想推广一款新的降噪耳机"
TAGS = ["科技", "年轻人"]


def script(models: ModelServer, **changed: Any) -> None:
    usual = {
        "intent": '{"intent": "free_discussion", "understanding": "推广降噪耳机"}',
        "planning": a_plan(),
        "analysis": "目标用户是年轻的上班族，他们在意通勤和办公室里的噪声，也在意价格。",
        "content_generation": TEXT,
        "evaluation": EVALUATION,
        "narrative": json.dumps(NARRATIVE, ensure_ascii=False),
        "fast": "你好！有什么可以帮你？",
    }
    for role, answers in (usual | changed).items():
        models.script(role, *(answers if isinstance(answers, list) else [answers]))


@pytest.fixture
def environ(models: ModelServer) -> dict[str, str]:
    return environment(models, COLLOQUY_CONFIG=str(ROOT / "langgraph.json"))


@pytest.fixture
async def service(database_url: str, tmp_path: Path, environ: dict[str, str]) -> AsyncIterator[Service]:
    async with running_service(database_url, tmp_path, environ) as service:
        yield service


class TestRevision:
    """T16, with restarts in between."""

    async def ask(self, database_url: str, path: Path, environ: dict[str, str], *messages: str) -> list[Any]:
        """Say each message to a service of its own."""
        person: Person | None = None
        answers: list[Any] = []
        for message in messages:
            async with running_service(database_url, path, environ) as service:
                person = person or await somebody(service.client)
                person.client = service.client
                response = await person.say(message, "deep", tags=TAGS if not answers else [])
                assert response.status_code == 200, response.text
                answers.append(response.json())
        return answers

    async def test_revised_after_a_restart(
        self, database_url: str, tmp_path: Path, environ: dict[str, str], models: ModelServer
    ) -> None:
        better = TEXT.replace("嘈杂", "噪声")
        script(models, evaluation=[WEAK, EVALUATION], content_generation=[TEXT, better])
        draft, revised, following = await self.ask(database_url, tmp_path, environ, WISH, "修订", "再写一版短的")
        assert [item["phase"] for item in draft["thinking_process"]][:3] == [
            "planning",
            "analysis",
            "content_generation",
        ]
        assert draft["content_sections"]["evaluation"].startswith("- 综合分：5/10")
        assert "修订" in draft["content_sections"]["suggestion"]
        assert revised["content_sections"]["evaluation"].startswith("- 综合分：8/10")
        assert revised["content_sections"]["output"] == better
        sections = revised["content_sections"]
        names = ("thinking_narrative", "output", "evaluation", "suggestion")
        assert revised["response"] == "\n\n".join(sections[name] for name in names)
        assert "补充具体的促销日期" in models.requests("content_generation")[1].user
        # One plan for the draft and its revision, one for the next turn, which has only its own steps.
        assert models.calls("planning") == 2
        phases = [item["phase"] for item in following["thinking_process"]]
        assert phases.count("planning") == 1

    async def test_left_as_it_is(
        self, database_url: str, tmp_path: Path, environ: dict[str, str], models: ModelServer
    ) -> None:
        script(models, evaluation=WEAK)
        draft, left = await self.ask(database_url, tmp_path, environ, WISH, "不用")
        assert left["content_sections"]["output"] == draft["content_sections"]["output"]
        assert models.calls("content_generation") == 1

    async def test_two_rounds_at_most(
        self, database_url: str, tmp_path: Path, environ: dict[str, str], models: ModelServer
    ) -> None:
        script(models, evaluation=WEAK)
        await self.ask(database_url, tmp_path, environ, WISH, "修订", "修订")
        assert models.calls("content_generation") == 3
        async with (
            running_service(database_url, tmp_path, environ) as service,
            service.runtime.system.pool.connection() as connection,
        ):
            cursor = await connection.execute("SELECT status FROM platform.threads")
            assert await cursor.fetchall() == [{"status": "idle"}]


async def test_an_unrelated_message_is_a_new_turn(service: Service, models: ModelServer) -> None:
    script(models, evaluation=[WEAK, EVALUATION])
    person = await somebody(service.client)
    await person.say(WISH, "deep")
    await person.say("那茶叶怎么推广？", "deep")
    assert models.calls("planning") == 2
    messages = (await person.history())["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2


async def test_a_question_about_the_third_document(service: Service, models: ModelServer) -> None:
    """T19."""
    person = await somebody(service.client)
    for number, text in enumerate(["耳机重二百克", "盒内有充电线", "保修期是四十二个月"], 1):
        assert (await person.upload(f"{number}.txt", text.encode())).status_code == 200
    script(
        models,
        intent='{"intent": "document_query", "understanding": "问保修期"}',
        planning=a_plan(steps=[{"step": "retrieval", "focus": "保修期"}, {"step": "analysis", "focus": "保修"}]),
    )
    body = (await person.say("保修期有多久？", "deep")).json()
    assert body["intent"] == "document_query"
    asked = models.requests("analysis")[0]
    assert "四十二个月" in asked.user
    assert "四十二个月" not in asked.system
    assert "3.txt" in asked.user


async def test_the_stream_is_what_the_answer_is(service: Service, models: ModelServer) -> None:
    script(models)
    person = await somebody(service.client)
    events = events_of((await person.say(WISH, "deep", tags=TAGS, params={"stream": "1"})).text)
    result = events[-1][2]
    thinking: dict[int, dict[str, str]] = {}
    text: dict[str, str] = {}
    for event, _, data in events:
        if event == "phase":
            thinking[data["index"]] = {"phase": data["phase"], "content": data["content"]}
        elif event == "delta":
            text[data["section"]] = text.get(data["section"], "") + data["text"]
        elif event == "reset":
            text.pop(data["section"])
    assert [thinking[index] for index in sorted(thinking)] == result["thinking_process"]
    assert "\n\n".join(text[section] for section in sorted(text)) == result["content_sections"]["output"]
    assert events[0][0] == "phase"


@pytest.mark.parametrize(("message", "intent"), [("你好", "casual_chat"), ("/new_chat", "command")])
async def test_the_short_way(service: Service, models: ModelServer, message: str, intent: str) -> None:
    script(models, intent=f'{{"intent": "{intent}", "understanding": ""}}')
    person = await somebody(service.client)
    body = (await person.say(message, "deep")).json()
    assert (body["mode"], body["intent"]) == ("deep", intent)
    assert body["content_sections"]["output"]
    assert models.calls("planning") == 0


async def test_offline_it_answers_without_a_key(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path) as service:
        person: Person = await somebody(service.client)
        quick = await person.say("你好")
        assert (quick.status_code, quick.headers["x-colloquy-model"]) == (200, "offline")
        assert quick.json()["response"]
        deep = await person.say(WISH, "deep", tags=TAGS)
        assert (deep.status_code, deep.headers["x-colloquy-model"]) == (200, "offline")
        assert deep.json()["content_sections"]["output"]
