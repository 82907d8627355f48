"""A draft, its decision, and what is resumed (T16, G34, X021)."""

from collections.abc import Sequence

import pytest
from langchain_core.messages import BaseMessage

from core.errors import ModelFailed
from tests.kit.deep_chat import (
    DOWN,
    EVALUATION,
    NARRATIVE,
    SESSION,
    TEXT,
    WEAK,
    DeepChat,
    a_plan,
    phases,
    words,
)
from tests.kit.fake_models import Reply


class TestRevision:
    """T16."""

    async def test_a_weak_draft_asks_and_is_revised(self) -> None:
        better = TEXT.replace("嘈杂", "噪声")
        chat = DeepChat(evaluation=[WEAK, EVALUATION], content_generation=[TEXT, better])
        draft = await chat.turn()
        assert draft["status"] == "awaiting_decision"
        assert draft["content_sections"]["output"] == TEXT
        assert draft["content_sections"]["evaluation"] == WEAK
        assert draft["content_sections"]["evaluation"].startswith("- 综合分：5/10")
        assert "是否需要我按上面的评估意见修订" in draft["content_sections"]["suggestion"]
        assert draft["response"].endswith(draft["content_sections"]["suggestion"])
        assert phases(draft)[:3] == ["planning", "analysis", "content_generation"]
        [waiting] = await chat.interrupts()
        assert waiting.value.keys() == {
            "kind",
            "score",
            "evaluation",
            "question",
            "draft",
            "action_requests",
            "review_configs",
            "response_schema",
        }
        assert (waiting.value["kind"], waiting.value["score"], waiting.value["draft"]) == ("revise", 5, TEXT)

        chat.restart()
        revised = await chat.decide({"decisions": [{"type": "approve"}]})
        calls = chat.models.calls()
        assert (calls["planning"], calls["content_generation"], calls["evaluation"]) == (1, 2, 2)
        assert "补充具体的促销日期" in chat.asked("content_generation")
        assert revised["content_sections"]["evaluation"] == EVALUATION
        assert revised["content_sections"]["output"] == better == chat.told()
        assert revised["response"] == "\n\n".join(revised["content_sections"].values())
        assert revised["status"] == "done"
        assert await chat.interrupts() == []
        [stored] = chat.records.turns.values()
        assert stored["answer"]["status"] == "done"

    async def test_a_draft_is_stored_before_it_is_decided(self) -> None:
        chat = DeepChat(evaluation=WEAK)
        draft = await chat.turn()
        [stored] = chat.records.turns.values()
        assert stored["answer"] == {key: draft[key] for key in stored["answer"]}
        assert chat.records.memories[SESSION]["content"] == ""

    async def test_skip_keeps_the_draft(self) -> None:
        chat = DeepChat(evaluation=WEAK)
        draft = await chat.turn()
        output = await chat.decide("不用")
        assert chat.models.calls()["content_generation"] == 1
        assert output["content_sections"] == draft["content_sections"] | {"suggestion": NARRATIVE["suggestion"]}
        assert output["status"] == "done"
        assert output["memory"]["content"] == TEXT

    async def test_after_two_rounds_it_is_finished(self) -> None:
        chat = DeepChat(evaluation=WEAK)
        for answer in ("revise", [{"type": "accept"}]):
            await (chat.decide(answer) if chat.records.turns else chat.turn())
            assert len(await chat.interrupts()) == 1
        output = await chat.decide({"type": "approve"})
        assert await chat.interrupts() == []
        assert output["status"] == "done"
        assert output["content_sections"]["evaluation"] == WEAK
        assert chat.models.calls()["content_generation"] == 3
        assert phases(output).count("evaluation") == 3

    @pytest.mark.parametrize("answer", ["也许吧，你觉得呢", None, {}, {"decisions": []}, {"type": "edit"}, 7, []])
    async def test_what_is_no_decision_is_asked_again(self, answer: object) -> None:
        chat = DeepChat(evaluation=WEAK)
        await chat.turn()
        [first] = await chat.interrupts()
        await chat.decide({"answer": answer} if answer is None else answer)
        [again] = await chat.interrupts()
        assert again.value == first.value
        assert chat.models.calls()["content_generation"] == 1
        assert (await chat.decide("skip"))["status"] == "done"

    async def test_a_new_message_starts_a_new_turn(self) -> None:
        chat = DeepChat(evaluation=[WEAK, EVALUATION])
        await chat.turn()
        output = await chat.turn("写一封会员邮件")
        assert output["status"] == "done"
        assert await chat.interrupts() == []
        assert phases(output) == ["planning", "analysis", "content_generation", "evaluation", "compilation"]
        assert len(chat.records.turns) == 2

    async def test_seven_is_enough(self) -> None:
        output = await DeepChat(evaluation="- 综合分：7/10").turn()
        assert output["status"] == "done"
        assert output["content_sections"]["evaluation"] == "- 综合分：7/10"

    async def test_all_sections_told_before_are_replaced(self) -> None:
        parts = [{"id": name, "title": name, "focus": name, "characters": 350} for name in ("甲", "乙")]
        chat = DeepChat(
            planning=a_plan(*parts), evaluation=[WEAK, EVALUATION], content_generation=lambda _: "句。" * 175
        )
        await chat.turn()
        chat.rescript(content_generation=TEXT)
        await chat.decide("revise")
        resets = [event["section"] for event in chat.events if event["type"] == "reset"]
        assert resets == ["1", "2"]
        assert chat.told() == TEXT


class TestResume:
    async def test_what_was_done_before_a_crash_is_not_asked_again(self) -> None:
        chat = DeepChat(content_generation=DOWN)
        with pytest.raises(ModelFailed):
            await chat.turn()
        assert chat.models.calls()["planning"] == 1
        chat.rescript()
        chat.restart()
        output = await chat.go_on()
        assert chat.models.calls() == {"content_generation": 1, "evaluation": 1, "narrative": 1}
        assert phases(output)[:3] == ["planning", "analysis", "content_generation"]

    async def test_the_next_turn_has_its_own_steps_only(self) -> None:
        chat = DeepChat(evaluation=[WEAK, EVALUATION])
        await chat.turn()
        await chat.decide("修订")
        chat.rescript(intent='{"intent": "casual_chat"}')
        output = await chat.turn("谢谢")
        assert phases(output) == ["planning"]
        assert output["content_sections"]["evaluation"] == ""

    async def test_a_finished_section_stays_when_another_fails(self) -> None:
        parts = [{"id": name, "title": name, "focus": name, "characters": 350} for name in ("甲", "乙")]

        def second_fails(request: Sequence[BaseMessage]) -> Reply:
            return (
                DOWN
                if '"title": "乙"}, {' not in words(request)
                and '"title": "乙", "focus"' in words(request).split("<section>")[1]
                else "句。" * 175
            )

        chat = DeepChat(planning=a_plan(*parts), content_generation=second_fails)
        with pytest.raises(ModelFailed):
            await chat.turn()
        chat.rescript(content_generation="写。" * 175)
        output = await chat.go_on()
        assert chat.models.calls()["content_generation"] == 1
        assert output["content_sections"]["output"] == f"## 甲\n\n{'句。' * 175}\n\n## 乙\n\n{'写。' * 175}"
