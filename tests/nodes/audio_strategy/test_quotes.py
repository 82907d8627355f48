"""Which quotes were said."""

import pytest

from nodes.audio_strategy.quotes import Said
from tests.graphs.audio_setting import said

SAID = Said(
    said(
        ("李经理", "新版本怎么样了，周五能上吗？"),
        ("小何", "差不多了，"),
        ("小何", "就是支付那块还在弄。"),
        ("Ann", "I can’t do it by Friday, OK?"),
    )
)


@pytest.mark.parametrize(
    ("quote", "shown"),
    [
        ("周五能上吗？", "周五能上吗？"),
        ("“周五能上吗”", "周五能上吗"),
        ("[00:00] 李经理：新版本怎么样了", "新版本怎么样了"),
        ("差不多了，就是支付那块", "差不多了，就是支付那块"),
        ("新版本……能上吗", "新版本……能上吗"),
        ("i can't do it by friday", "i can't do it by friday"),
        ("Ｉ ｃａｎ’ｔ", "Ｉ ｃａｎ’ｔ"),
    ],
)
def test_what_was_said(quote: str, shown: str) -> None:
    assert SAID.knows(quote) == shown


@pytest.mark.parametrize(
    "quote", ["", "。", "了", "周六能上吗", "周五能上吗差不多了", "新版本……周六", "小王：周五能上吗", "……"]
)
def test_what_was_not(quote: str) -> None:
    assert SAID.knows(quote) is None


def test_a_speaker_may_go_by_another_name() -> None:
    assert SAID.knows("上级：周五能上吗", ["上级"]) == "周五能上吗"


def test_each_once_and_three_at_most() -> None:
    given = ["周五能上吗", "没有说过", "周五能上吗", "差不多了", "新版本", "支付那块"]
    assert SAID.known(given) == ["周五能上吗", "差不多了", "新版本"]
