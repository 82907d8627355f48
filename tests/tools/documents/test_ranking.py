"""Reciprocal rank fusion: what several rankings name comes before what one does."""

import pytest

from tools.documents.ranking import fused


def test_what_both_name_comes_first() -> None:
    assert [key for key, _ in fused("abc", "xbc")] == ["b", "c", "a", "x"]


def test_scores_are_those_of_the_paper() -> None:
    assert dict(fused("ab", "b")) == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 1 / 61})


def test_one_ranking_keeps_its_order() -> None:
    assert [key for key, _ in fused("cab", "")] == ["c", "a", "b"]
    assert [key for key, _ in fused("", "cab")] == ["c", "a", "b"]
    assert fused("", "") == []


def test_the_first_ranking_decides_between_equals() -> None:
    assert [key for key, _ in fused("a", "b")] == ["a", "b"]


def test_what_a_ranking_repeats_counts_once() -> None:
    assert dict(fused("aab")) == pytest.approx({"a": 1 / 61, "b": 1 / 62})
