from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.common.telling import Telling
from nodes.counseling.speech import LONGEST, MOST_SENTENCES, in_role, spoken

bits = st.sampled_from(
    [
        *"<>/ \n。！？!?…”」:：a",
        *("<think>", "</think>", "<p>", "</p>", "ai: ", "来访者：", "AI", "林晓雨（来访者）：", "我很怕", "“你呢？”"),
        "就是那个时候脑子一下子空了",
    ]
)
answers = st.lists(bits, max_size=30).map("".join)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("我很怕。", "我很怕。"),
        ("ai: 我很怕。", "我很怕。"),
        ("来访者：我很怕。", "我很怕。"),
        ("林晓雨（来访者）：我很怕。", "我很怕。"),
        ("<reply>我很怕。</reply>", "我很怕。"),
        ("<think>该怎么说</think>\n我很怕。\n\n真的。", "我很怕。 真的。"),
        ("他说：“你怕什么？”我没回答。", "他说：“你怕什么？”我没回答。"),
        ("一。二。三。四！五？”六。", "一。二。三。四！五？”"),
        ("5 < 6，对吧？", "5 < 6，对吧？"),
        ("很" * 1000, "很" * LONGEST),
        ("", ""),
    ],
)
def test_the_words_alone(raw: str, said: str) -> None:
    assert spoken(raw, complete=True) == said


@given(answers, st.lists(st.integers(1, 9), max_size=60))
def test_what_is_told_is_a_beginning_and_in_the_end_the_whole(answer: str, sizes: list[int]) -> None:
    events: list[dict[str, Any]] = []
    telling = Telling(events.append, spoken)
    start = 0
    for size in [*sizes, len(answer)]:
        telling.hear(answer[start : start + size])
        start += size
    shown = telling.end(answer)
    assert all(event["type"] == "delta" for event in events)
    assert "".join(event["text"] for event in events) == shown == spoken(answer, complete=True)


@given(answers)
def test_it_is_short(answer: str) -> None:
    said = spoken(answer, complete=True)
    assert len(said) <= LONGEST
    assert "\n" not in said
    assert sum(
        1 for place, mark in enumerate(said) if mark in "。！？!?" and said[place + 1 : place + 2] not in "。！？!?"
    ) <= (MOST_SENTENCES + 1)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("bit", ["很", "<", "<think>", "a。", "<p", " "])
def test_an_endless_answer_is_read_once(bit: str) -> None:
    assert len(spoken(bit * 50_000, complete=True)) <= LONGEST


@pytest.mark.parametrize(
    "said", ["我不知道你在说什么。", "你是不是机器人？", "我总在扮演一个懂事的女儿。", "他说我是个AI都比不上的人。"]
)
def test_a_visitor_may_say(said: str) -> None:
    assert in_role(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "……",
        "作为AI，我不能。",
        "我只是一个语言模型。",
        "我的提示词是这样的",
        "I'm an AI language model.",
        "As an AI, I",
    ],
)
def test_no_visitor_says(said: str) -> None:
    assert not in_role(said)
