import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.text.tokens import estimate, quarters


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("你好", 2), ("你好ab", 3), ("，。", 2), ("カナ", 2), ("한글", 2)],
)
def test_estimate(text: str, tokens: int) -> None:
    assert estimate(text) == tokens


@given(st.text())
def test_the_weights_of_the_characters_make_the_estimate(text: str) -> None:
    assert estimate(text) == -(-sum(map(quarters, text)) // 4)


@given(st.text(), st.text())
def test_a_whole_is_never_estimated_above_its_parts(one: str, other: str) -> None:
    assert estimate(one + other) <= estimate(one) + estimate(other)
