"""Chunks and terms: nothing gets lost, positions count from 1, Chinese and English are found."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.documents.chunks import OVERLAP, SIZE, chunks
from tools.documents.terms import index_of, query_of, terms

TEXT = st.text(alphabet=st.sampled_from("ab 。，\n降噪耳机.!"), max_size=3000)


class TestChunks:
    def test_a_short_text_is_one(self) -> None:
        assert chunks("  短。 ") == ["短。"]
        assert chunks(" \n ") == []

    def test_they_end_with_sentences_and_overlap_by_whole_ones(self) -> None:
        text = "".join(f"第{number}句说的是编号为{number}的事情。" for number in range(200))
        found = chunks(text)
        assert len(found) > 3
        for piece, following in pairwise(found):
            assert len(piece) <= SIZE
            assert piece.endswith("。")
            shared = next(size for size in range(OVERLAP, 0, -1) if piece.endswith(following[:size]))
            assert following.startswith("第")
            assert shared > 10

    def test_paragraphs_come_first(self) -> None:
        first, second = "甲。" * 250, "乙。" * 250
        assert chunks(f"{first}\n\n{second}", overlap=0) == [first, second]

    def test_a_text_without_any_border(self) -> None:
        found = chunks("x" * 5000)
        assert "".join(piece[OVERLAP if number else 0 :] for number, piece in enumerate(found)) == "x" * 5000

    @given(TEXT)
    def test_every_character_is_in_one(self, text: str) -> None:
        place = 0
        for piece in chunks(text, 50, 10):
            assert len(piece) <= 50
            found = text.find(piece, max(0, place - 11))
            assert found >= 0
            assert not text[place:found].strip()
            place = found + len(piece)
        assert not text[place:].strip()

    def test_an_overlap_that_never_ends_is_refused(self) -> None:
        with pytest.raises(ValueError, match="overlap"):
            chunks("x", 10, 5)


class TestTerms:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("降噪耳机", ["降噪", "噪耳", "耳机"]),
            ("水", ["水"]),
            ("AI营销 2026年", ["ai", "营销", "2026", "年"]),
            ("Wi-Fi_6E ＡＢＣ", ["wi", "fi", "6e", "abc"]),
            ("Straße ÉCLAIR", ["strasse", "éclair"]),
            ("'; DROP TABLE--\\", ["drop", "table"]),
            ("ノイズ 한국어", ["ノイ", "イズ", "한국", "국어"]),
            ("x" * 65, []),
            ("!?。", []),
        ],
    )
    def test_terms(self, text: str, expected: list[str]) -> None:
        assert terms(text) == expected

    def test_an_index_has_positions(self) -> None:
        assert index_of("a b a") == "'a':1,3 'b':2"

    def test_a_question_has_each_term_once(self) -> None:
        assert query_of("a b a c", most=2) == ["a", "b"]
