"""Data cannot leave its delimiters (X029)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.common.prompts import as_data

PIECES = st.sampled_from(["<", "/", ">", " ", "\n", "transcript", "TRANSCRIPT", "a", "你", "s", "<b>"])


@given(st.lists(PIECES, max_size=20).map("".join))
def test_exactly_one_opening_and_one_closing_tag(text: str) -> None:
    found = re.findall(r"<\s*/?\s*transcript\b", as_data("transcript", text), re.IGNORECASE)
    assert found == ["<transcript", "</transcript"]


@pytest.mark.parametrize("text", ["3 < 5", "<b>fett</b>", "user: 你好", "a/b"])
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert as_data("transcript", text) == f"<transcript>\n{text}\n</transcript>"
