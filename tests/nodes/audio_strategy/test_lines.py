"""A conversation as lines, and what of a long one is read."""

import time
import timeit

from hypothesis import given
from hypothesis import strategies as st

from nodes.audio_strategy.lines import clock, excerpt, lines_of, roles, speakers
from tests.graphs.audio_setting import said, session
from tools.text.tokens import estimate


def test_numbers_give_way_to_what_a_speaker_is() -> None:
    dialogues = said(("Speaker_0", "进度呢"), ("说话人 2", "快了"), ("小何", "我也是"))
    one = session(dialogues, **{"Speaker_0": "上级", "说话人 2": "下属", "小何": "同事"})
    assert speakers(one) == {"Speaker_0": "上级", "说话人 2": "下属", "小何": "小何"}
    assert roles(one) == {"小何": "同事"}
    assert lines_of(one) == ["[00:00] 上级: 进度呢", "[00:10] 下属: 快了", "[00:20] 小何: 我也是"]


def test_two_who_are_the_same_keep_their_numbers() -> None:
    one = session(said(("Speaker_0", "a"), ("Speaker_1", "b")), Speaker_0="同事", Speaker_1="同事")
    assert speakers(one) == {"Speaker_0": "Speaker_0", "Speaker_1": "Speaker_1"}
    assert roles(one) == {"Speaker_0": "同事", "Speaker_1": "同事"}


def test_a_name_cannot_pass_for_structure() -> None:
    one = session(said(("[00:00] 小何: 老板\n", "一\n二"), ("：", "三"), ("静", "  ")))
    assert lines_of(one) == ["[00:00] 00 00 小何 老板: 一 二", "[00:10] ?: 三"]


def test_times() -> None:
    assert [clock(seconds) for seconds in (0, 59.9, 61, 3605)] == ["00:00", "00:59", "01:01", "60:05"]


def test_a_short_conversation_is_read_whole() -> None:
    assert excerpt(["a: 一", "b: 二"], 100) == "a: 一\nb: 二"


def test_one_line_that_is_too_long_is_cut() -> None:
    text = excerpt(["开头", "话" * 5000, "结尾"], 600)
    assert text.startswith("开头\n话")
    assert text.endswith("结尾")
    assert estimate(text) <= 600


@given(st.lists(st.text(alphabet="话a b", max_size=300), max_size=60), st.integers(100, 2000))
def test_an_excerpt_keeps_the_budget_and_the_order(lines: list[str], budget: int) -> None:
    text = excerpt(lines, budget)
    assert estimate(text) <= budget
    if sum(estimate(line) + 1 for line in lines) <= budget:
        assert text == "\n".join(lines)


def test_a_day_of_talk_takes_no_longer_than_it_must() -> None:
    lines = ["[00:00] 小何: " + "很长的话" * 60] * 20_000
    # Of the processor: other tests run beside this one.
    assert timeit.timeit(lambda: excerpt(lines, 12_000), timer=time.thread_time, number=1) < 3
