import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.text.split import cut, pack
from tools.text.tokens import estimate

texts = st.text(alphabet=st.sampled_from("ab 。，？\n中文字é"), max_size=300)


class TestCut:
    @given(texts, st.integers(1, 40))
    def test_nothing_is_lost_and_each_piece_fits(self, text: str, budget: int) -> None:
        pieces = cut(text, budget)
        assert "".join(pieces) == text
        assert all(0 < estimate(piece) <= budget for piece in pieces)

    def test_it_prefers_the_end_of_a_sentence(self) -> None:
        assert cut("今天天气真的很好。我们出门", 11) == ["今天天气真的很好。", "我们出门"]

    def test_it_prefers_the_end_of_a_word(self) -> None:
        assert cut("one two three four five six", 5) == ["one two three four ", "five six"]

    def test_it_cuts_anywhere_where_there_is_no_border(self) -> None:
        assert cut("一二三四五", 2) == ["一二", "三四", "五"]

    def test_a_budget_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="budget"):
            cut("a", 0)


class TestPack:
    @given(st.lists(st.integers(0, 30), max_size=80), st.integers(30, 100))
    def test_groups_fit_and_follow_each_other_without_gaps(self, sizes: list[int], budget: int) -> None:
        groups = pack(sizes, budget)
        assert [place for group in groups for place in group] == list(range(len(sizes)))
        assert all(sum(sizes[place] for place in group) <= budget for group in groups)
        assert all(groups)

    @given(st.lists(st.integers(1, 5), min_size=50, max_size=200))
    def test_groups_are_of_similar_size(self, sizes: list[int]) -> None:
        groups = [sum(sizes[place] for place in group) for group in pack(sizes, 40)]
        assert min(groups[:-1], default=40) >= 20

    def test_one_too_large_is_refused(self) -> None:
        with pytest.raises(ValueError, match="larger than the budget"):
            pack([5], 4)

    def test_nothing_makes_no_group(self) -> None:
        assert pack([], 4) == []
