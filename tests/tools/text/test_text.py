"""Estimating tokens, cutting and packing: pure functions with hard limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.text.split import cut, pack
from tools.text.tokens import estimate

TEXT = st.text("你好，。 ab.\n", max_size=400)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("你好", 2), ("abcd", 1), ("abcde", 2), ("你a", 2), ("，。", 2), ("😀", 1)]
)
def test_estimate(text: str, tokens: int) -> None:
    assert estimate(text) == tokens


@given(TEXT, st.integers(1, 50))
def test_cut_pieces_join_to_the_text_and_fit(text: str, budget: int) -> None:
    pieces = cut(text, budget)
    assert "".join(pieces) == text
    assert all(piece and estimate(piece) <= budget for piece in pieces)


def test_cut_prefers_the_end_of_a_sentence() -> None:
    assert cut("一二三四五六七八。十一二三", 10) == ["一二三四五六七八。", "十一二三"]


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(20, 60))
def test_pack_is_complete_ordered_and_within_the_budget(sizes: list[int], budget: int) -> None:
    groups = pack(sizes, budget)
    assert [place for group in groups for place in group] == list(range(len(sizes)))
    assert all(group and sum(sizes[place] for place in group) <= budget for group in groups)


def test_limits_that_cannot_be_kept() -> None:
    with pytest.raises(ValueError, match="at least one"):
        cut("a", 0)
    with pytest.raises(ValueError, match="larger than the budget"):
        pack([5], 4)
