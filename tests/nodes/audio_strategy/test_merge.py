"""Repetition, and merging by rule."""

import pytest

from nodes.audio_strategy.likeness import likeness, repeats, repetitions
from nodes.audio_strategy.merge import merge
from nodes.audio_strategy.state import Draft

TEXTS = (
    "先说结论再讲经过",
    "接活之前问清楚截止时间",
    "把日期写进一封邮件里",
    "当众不要反驳对方的判断",
    "谢谢他愿意说出来",
    "请他举一个具体的例子",
    "约定下次核对的时间",
)


def draft(advice: str, skill: str, *, script: str = "", quotes: tuple[str, ...] = ()) -> Draft:
    return Draft(
        title=advice[:4], insight="", advice=advice, script=script, quotes=list(quotes), skills=[skill], picture=""
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("先说结论，再讲经过，最后提请求。", "先说结论，再讲经过；最后提请求", True),
        ("先说结论，再讲经过，最后提请求。", "先说结论，再讲经过，最后再提请求吧。", True),
        ("先说结论，再讲经过，最后提请求。", "接活之前问清楚目的和截止时间。", False),
        ("先说结论，再讲经过。", "先说感受，再讲道理。", False),
        ("好的", "好的。", True),
        ("好的", "好吧", False),
        ("Say the result first, then the story.", "say the result first then the story", True),
        ("Say the result first, then the story.", "Ask which part worries them most.", False),
    ],
)
def test_what_repeats(one: str, other: str, *, same: bool) -> None:
    assert repeats(draft(one, "a"), draft(other, "b")) is same


def test_the_same_words_to_say_are_a_repetition_whatever_the_reason() -> None:
    one = draft(TEXTS[0], "a", script="今晚我先交最急的部分。")
    assert repeats(one, draft(TEXTS[1], "b", script="今晚我先交最急的部分！"))
    assert not repeats(one, draft(TEXTS[1], "b"))


def test_likeness_is_symmetric_and_one_for_the_same() -> None:
    for one in TEXTS:
        assert likeness(one, one) == 1
        assert all(likeness(one, other) == likeness(other, one) for other in TEXTS)
    assert likeness("", "") == 1


def test_in_turn_by_priority_and_no_more_than_six() -> None:
    drafts = {"a": [draft(text, "a") for text in TEXTS[:5]], "b": [draft(text, "b") for text in TEXTS[5:]]}
    merged = merge(drafts)
    assert [one["skills"][0] for one in merged] == ["a", "b", "a", "b", "a", "a"]
    assert repetitions(merged) == []


def test_a_repetition_leaves_its_quotes_and_its_name() -> None:
    merged = merge({"a": [draft(TEXTS[0], "a", quotes=("一句",))], "b": [draft(TEXTS[0], "b", quotes=("两句",))]})
    assert [(one["skills"], one["quotes"]) for one in merged] == [(["a", "b"], ["一句", "两句"])]


def test_what_was_given_is_not_changed() -> None:
    drafts = {"a": [draft(TEXTS[0], "a")], "b": [draft(TEXTS[0], "b")]}
    merge(drafts)
    assert drafts["a"][0]["skills"] == ["a"]


def test_one_skill_that_repeats_itself() -> None:
    assert len(merge({"a": [draft(TEXTS[0], "a"), draft(TEXTS[0], "a"), draft(TEXTS[1], "a")]})) == 2
