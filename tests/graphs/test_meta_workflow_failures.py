"""Models that fail, break off or write what cannot be used (G43, D022)."""

from typing import Any

import httpx
import pytest

from core.errors import ModelFailed
from tests.kit.deep_chat import (
    DOWN,
    EVALUATION,
    NARRATIVE,
    TEXT,
    DeepChat,
    a_plan,
)
from tests.kit.fake_models import Breaks


class TestFailures:
    @pytest.mark.parametrize("role", ["planning", "analysis", "content_generation"])
    @pytest.mark.parametrize("answer", [DOWN, "", " \n "])
    async def test_without_these_there_is_no_answer(self, role: str, answer: Any) -> None:
        chat = DeepChat(**{role: answer})
        with pytest.raises(ModelFailed):
            await chat.turn()
        assert chat.records.turns == {}

    @pytest.mark.parametrize("answer", ["好的，没问题", "{}", '{"goal": "x", "sections": []}', "{" * 100_000])
    async def test_a_plan_is_repaired_once(self, answer: str) -> None:
        chat = DeepChat(planning=[answer, a_plan()])
        assert (await chat.turn())["status"] == "done"
        assert chat.models.calls()["planning"] == 2
        with pytest.raises(ModelFailed):
            await DeepChat(planning=answer).turn()

    @pytest.mark.parametrize("answer", [DOWN, "", "很好", "分数保密"])
    async def test_without_a_judgement_its_section_is_empty(self, answer: Any) -> None:
        output = await DeepChat(evaluation=answer).turn()
        assert output["content_sections"]["evaluation"] == ""
        assert output["content_sections"]["output"] == TEXT
        assert output["response"] == f"{NARRATIVE['thinking_narrative']}\n\n{TEXT}\n\n{NARRATIVE['suggestion']}"
        assert output["status"] == "done"

    async def test_a_judgement_is_repaired_once(self) -> None:
        chat = DeepChat(evaluation=["很好", EVALUATION])
        assert (await chat.turn())["content_sections"]["evaluation"] == EVALUATION
        assert "综合分：N/10" in chat.models.requests("evaluation")[1][-1].text

    @pytest.mark.parametrize("answer", [DOWN, "", "不是 JSON"])
    async def test_without_a_narrative_its_section_is_empty(self, answer: Any) -> None:
        sections = (await DeepChat(narrative=answer).turn())["content_sections"]
        assert (sections["thinking_narrative"], sections["suggestion"]) == ("", "")
        assert sections["evaluation"] == EVALUATION

    @pytest.mark.parametrize("answer", [DOWN, "?", '{"intent": "buy_shares"}', '{"intent": "command"}'])
    async def test_an_unknown_intent_is_a_free_discussion(self, answer: Any) -> None:
        assert (await DeepChat(intent=answer).turn())["intent"] == "free_discussion"

    async def test_a_stream_that_breaks_off_is_told_anew(self) -> None:
        chat = DeepChat(max_attempts=2, content_generation=[Breaks(httpx.ReadTimeout(""), TEXT[:100]), TEXT])
        output = await chat.turn()
        kinds = [event["type"] for event in chat.events]
        assert kinds.index("delta") < kinds.index("reset") < len(kinds) - kinds[::-1].index("delta")
        assert chat.told() == output["content_sections"]["output"] == TEXT

    @pytest.mark.parametrize("first", ["太短。", "太长。" * 1000, "", TEXT + "（《没有的文件》第3段）"])
    async def test_a_text_out_of_bounds_is_written_once_more(self, first: str) -> None:
        chat = DeepChat(content_generation=[first, TEXT])
        output = await chat.turn()
        assert chat.told() == output["content_sections"]["output"] == TEXT
        assert chat.models.calls()["content_generation"] == 2

    async def test_a_text_without_end_is_cut(self) -> None:
        chat = DeepChat(content_generation="没完没了。" * 20_000)
        output = await chat.turn()
        text = output["content_sections"]["output"]
        assert 500 <= len(text) <= 1300
        assert text.endswith("。")
        assert chat.told() == text
