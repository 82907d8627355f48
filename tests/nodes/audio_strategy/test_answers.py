"""What is taken from models' answers, and what is refused."""

import json
from typing import Any

import pytest

from nodes.audio_strategy.answers import FusedAnswer, SkillAnswer
from nodes.common.structured import Unusable, read
from tests.graphs.audio_setting import advice, answered

TWO = {"skills": ["a", "b"]}


def test_what_is_missing_but_not_needed_is_empty_and_what_is_long_is_cut() -> None:
    [item] = read(
        '{"advices": [{"title": "短", "advice": "%s", "quotes": "一句"}]}' % ("长" * 900), SkillAnswer
    ).advices
    assert (item.insight, item.script, item.picture, item.quotes) == ("", "", "", ["一句"])
    assert len(item.advice) == 500


def test_five_at_most_and_only_objects() -> None:
    given: list[Any] = [advice(str(number)) for number in range(8)]
    read_items = read(json.dumps({"advices": ["不是", *given]}), SkillAnswer).advices
    assert [item.title for item in read_items] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    "answer",
    ["", "{}", '{"advices": []}', '{"advices": "无"}', '{"advices": [{"title": "只有标题"}]}',
     '{"advices": [{"title": " ", "advice": "没有标题"}]}'],
)  # fmt: skip
def test_what_cannot_be_used(answer: str) -> None:
    with pytest.raises(Unusable):
        read(answer, SkillAnswer)


def test_attribution_in_the_order_of_priority_without_strangers() -> None:
    answer = answered(advice("先说结论", skills=["b", "x", "a"]))
    assert read(answer, FusedAnswer, TWO).advices[0].skills == ["a", "b"]


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (answered(advice("先说结论", skills=["x"])), "第 1 条的 skills 须取自 a, b"),
        (answered(advice("先说结论", skills=["a"])), "没有一条来自 b"),
        (
            answered(
                advice("先说结论", skills=["a"]), advice("给出选择", skills=["b"]), advice("先说结论", skills=["b"])
            ),
            "第 1 条与第 3 条几乎相同",
        ),
    ],
)
def test_what_the_model_is_told(answer: str, wrong: str) -> None:
    with pytest.raises(Unusable, match=wrong):
        read(answer, FusedAnswer, TWO)
