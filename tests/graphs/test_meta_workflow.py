"""Deep chat, compiled with a saver in memory and answered by scripted models."""

import json
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from core.errors import InvalidInput
from graphs.meta_workflow import graph
from tests.kit.deep_chat import (
    EVALUATION,
    NARRATIVE,
    SESSION,
    TEXT,
    THREAD,
    WEAK,
    DeepChat,
    a_plan,
    phases,
    words,
)


class TestATurn:
    async def test_the_answer(self) -> None:
        chat = DeepChat()
        output = await chat.turn()
        sections = output["content_sections"]
        assert sections == {
            "thinking_narrative": NARRATIVE["thinking_narrative"],
            "output": TEXT,
            "evaluation": EVALUATION,
            "suggestion": NARRATIVE["suggestion"],
        }
        assert output["response"] == "\n\n".join(sections.values())
        assert phases(output) == ["planning", "analysis", "content_generation", "evaluation", "compilation"]
        assert (output["intent"], output["status"]) == ("free_discussion", "done")
        assert set(chat.models.calls().values()) == {1}
        assert "fast" not in chat.models.calls()

    async def test_what_it_tells_is_what_it_answers(self) -> None:
        chat = DeepChat()
        output = await chat.turn()
        assert chat.told() == output["content_sections"]["output"]
        assert chat.thinking_told() == output["thinking_process"]
        first = chat.events[0]
        assert (first["type"], first["phase"], first["index"]) == ("phase", "planning", 0)

    async def test_the_thinking_grows(self) -> None:
        chat = DeepChat(analysis="先看目标用户。" * 30)
        await chat.turn()
        grown = [event["content"] for event in chat.events if event.get("phase") == "analysis"]
        assert len(grown) > 3
        assert all(later.startswith(earlier) for earlier, later in pairwise(grown))

    async def test_the_text_comes_while_it_is_written(self) -> None:
        chat = DeepChat()
        await chat.turn()
        assert [event["type"] for event in chat.events].count("delta") > 100
        assert {event["section"] for event in chat.events if event["type"] == "delta"} == {"1"}

    async def test_the_memory_goes_on_and_the_turn_is_stored_once(self) -> None:
        chat = DeepChat(planning=a_plan(brand="静野"))
        output = await chat.turn(memory={"brand": "旧", "product": "旧", "content": "旧文", "suggestions": ["甲"]})
        assert output["memory"] == {
            "brand": "静野",
            "product": "降噪耳机",
            "content": TEXT,
            "suggestions": ["甲", NARRATIVE["suggestion"]],
        }
        [((session, _turn_id), stored)] = chat.records.turns.items()
        assert (session, stored["message"]) == (SESSION, "我想推广一款新的降噪耳机")
        assert stored["answer"] == {key: output[key] for key in stored["answer"]}
        assert stored["answer"].keys() == output.keys() - {"memory"}
        assert chat.records.memories == {SESSION: output["memory"]}

    async def test_memory_turns_and_tags_reach_the_models(self) -> None:
        chat = DeepChat()
        await chat.turn(memory={"brand": "静野"}, turns=[{"role": "user", "content": "上次说到露营"}])
        for role in ("planning", "analysis", "content_generation"):
            assert "静野" in chat.asked(role)
            assert "用户：上次说到露营" in chat.asked(role)
            assert "<tags>\n科技、年轻人\n</tags>" in chat.asked(role)

    async def test_without_a_session_nothing_is_stored_and_the_thread_remembers(self) -> None:
        chat = DeepChat()
        first = await chat.turn(session_id="")
        await chat.go_on({"message": "再写一版"})
        assert chat.records.turns == {}
        values = await chat.values()
        assert values["memory"]["product"] == first["memory"]["product"]
        assert values["turn"]["tags"] == []

    @pytest.mark.parametrize("message", ["", " \n", None, 3, "长" * 20_001])
    async def test_what_is_no_message_is_refused(self, message: Any) -> None:
        with pytest.raises(InvalidInput):
            await DeepChat().turn(message)

    async def test_state_is_plain_json_and_bounded(self) -> None:
        chat = DeepChat(evaluation=WEAK, content_generation="字" * 100_000, analysis="想" * 100_000)
        turns = [{"role": "user", "content": "话" * 9000}] * 50
        await chat.turn(
            turns=turns, memory={"content": "文" * 90_000, "brand": 3, "suggestions": "乙"}, tags=["长" * 99]
        )
        await chat.decide("修订")
        async for snapshot in chat.graph.aget_state_history(THREAD):
            assert json.loads(json.dumps(snapshot.values)) == snapshot.values
            # What was sent stands in the checkpoint of the input, and is gone after the first step.
            given = (snapshot.metadata or {}).get("step", 0) < 1
            assert given or len(json.dumps(snapshot.values, ensure_ascii=False)) < 70_000

    def test_the_graph_has_no_checkpointer_and_names_its_prompts(self) -> None:
        assert graph.checkpointer is None
        assert "planning@" in (graph.config or {})["metadata"]["prompts"]

    async def test_until_its_answer_is_complete_a_turn_is_running(self) -> None:
        chat = DeepChat(evaluation=[WEAK, EVALUATION])
        await chat.turn()
        await chat.decide("修订")
        standing = [snapshot.values.get("status") async for snapshot in chat.graph.aget_state_history(THREAD)]
        told = [status for status, _again in groupby(reversed(standing)) if status]
        assert told == ["running", "awaiting_decision", "running", "done"]


class TestIntents:
    @pytest.mark.parametrize("intent", ["free_discussion", "structured_request"])
    async def test_the_long_way(self, intent: str) -> None:
        output = await DeepChat(intent=json.dumps({"intent": intent})).turn()
        assert output["intent"] == intent
        assert len(output["thinking_process"]) == 5

    async def test_a_casual_message_gets_a_sentence(self) -> None:
        chat = DeepChat(intent='{"intent": "casual_chat"}')
        output = await chat.turn("你好", memory={"brand": "静野"})
        assert output["intent"] == "casual_chat"
        assert output["response"] == output["content_sections"]["output"] == chat.told() == "你好！有什么可以帮你？"
        assert chat.models.calls() == {"intent": 1, "fast": 1}
        assert output["memory"]["brand"] == "静野"
        assert output["status"] == "done"
        assert len(chat.records.turns) == 1

    @pytest.mark.parametrize("message", ["/new_chat", "/NEW_CHAT 现在", "/help"])
    async def test_a_command_gets_guidance_and_no_model(self, message: str) -> None:
        chat = DeepChat()
        output = await chat.turn(message)
        assert output["intent"] == "command"
        assert "新建对话" in output["response"]
        assert chat.models.calls() == {}

    @pytest.mark.parametrize("message", ["/usr/bin 里放什么文件", "/help 是什么意思", "请执行 /new_chat"])
    async def test_a_slash_in_a_sentence_is_no_command(self, message: str) -> None:
        assert (await DeepChat().turn(message))["intent"] == "free_discussion"

    async def test_without_documents_nothing_is_looked_up(self) -> None:
        output = await DeepChat(intent='{"intent": "document_query"}').turn("看看上传的文件")
        assert output["intent"] == "free_discussion"
        assert "retrieval" not in phases(output)


class TestPlan:
    async def test_steps_that_are_not_planned_do_not_run(self) -> None:
        chat = DeepChat(planning=a_plan(steps=[{"step": "content_generation", "focus": "直接写"}]))
        output = await chat.turn()
        assert phases(output) == ["planning", "content_generation", "compilation"]
        assert chat.models.calls() == {"intent": 1, "planning": 1, "content_generation": 1, "narrative": 1}
        assert output["content_sections"]["evaluation"] == ""

    async def test_the_focus_reaches_its_step(self) -> None:
        steps = [{"step": "analysis", "focus": "看通勤的人"}, {"step": "content_generation", "focus": "亲切"}]
        chat = DeepChat(planning=a_plan(steps=steps))
        await chat.turn()
        assert "看通勤的人" in chat.asked("analysis")
        assert "亲切" in chat.asked("content_generation")

    async def test_sections_side_by_side_keep_the_plans_order(self) -> None:
        parts = [
            {"id": "late", "title": "丙", "focus": "写在乙之后", "characters": 250, "depends_on": ["b"]},
            {"id": "b", "title": "乙", "focus": "乙", "characters": 250, "depends_on": []},
            {"id": "c", "title": "丁", "focus": "丁", "characters": 250, "depends_on": ["b"]},
        ]
        written: list[str] = []

        def writes(request: Sequence[BaseMessage]) -> str:
            title = words(request).split('<section>\n{"title": "')[1][0]
            written.append(title)
            assert ("<before>" in words(request)) == (title == "丁")
            return f"{title}。" * 125

        chat = DeepChat(planning=a_plan(*parts), content_generation=writes)
        output = await chat.turn()
        # What would depend on a later section depends on nothing.
        assert set(written[:2]) == {"丙", "乙"}
        assert written[2] == "丁"
        assert output["content_sections"]["output"] == chat.told()
        assert [line for line in chat.told().splitlines() if line.startswith("#")] == ["## 丙", "## 乙", "## 丁"]
        assert {event["section"] for event in chat.events if event["type"] == "delta"} == {"1", "2", "3"}
        assert phases(output).count("content_generation") == 1
