"""What is counted, what is quoted, what is split: the parts of the review that are no model's."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.audio_analysis.lines import MOST_PIECES, PIECE_BUDGET, as_lines, as_text, pieces_of
from nodes.audio_analysis.state import Stretch
from nodes.audio_analysis.stats import MOST_SPEAKERS, stats_of
from nodes.audio_analysis.verdict import MOST_RISKS, Review, mapping_of, risks_of
from nodes.common.structured import Unusable, read
from tools.text.tokens import estimate
from tools.transcripts.model import Segment

DIALOGUE = [
    Segment(speaker="甲", start=0.0, end=4.0, text="你总是这样，我受够了！"),
    Segment(speaker="乙", start=3.0, end=5.0, text="我 can't do it 了。"),
    Segment(speaker="甲", start=6.0, end=7.0, text="那就"),
    Segment(speaker="甲", start=7.0, end=8.0, text="算了吧。"),
]


class TestStats:
    def test_they_are_counted(self) -> None:
        found = stats_of(DIALOGUE, 10.0, [Stretch(start=9.0, end=10.0)])
        assert (found["duration"], found["speech_seconds"], found["turns"]) == (10.0, 7.0, 3)
        assert found["unheard"] == [{"start": 9.0, "end": 10.0}]
        first, second = found["speakers"]
        assert first == {
            "speaker": "甲",
            "seconds": 6.0,
            "share": 0.75,
            "turns": 2,
            "words": 14,
            "longest_seconds": 4.0,
            "interruptions": 0,
        }
        assert (second["words"], second["interruptions"]) == (5, 1)
        assert found["words"] == 19

    def test_a_speaker_for_each_line_takes_no_longer(self) -> None:
        many = [Segment(speaker=str(n), start=n, end=n + 1, text="好") for n in range(20_000)]
        assert timeit.timeit(lambda: stats_of(many, 20_000, []), number=1) < 3
        assert len(stats_of(many, 20_000, [])["speakers"]) == MOST_SPEAKERS

    @given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 9), st.sampled_from("ab")), min_size=1, max_size=15))
    def test_they_add_up(self, spoken: list[tuple[float, float, str]]) -> None:
        found = stats_of([Segment(speaker=who, start=at, end=at + on, text="x") for at, on, who in spoken], 60, [])
        assert sum(one["share"] for one in found["speakers"]) == pytest.approx(1, abs=0.001)
        assert 0 < found["speech_seconds"] <= sum(on for _, on, _ in spoken) + 0.01


class TestRisks:
    def risks(self, *found: object) -> list[tuple[str, str, float | None]]:
        review = Review.model_validate({"summary": "s", "mood_score": 1, "risks": list(found)})
        return [(one["level"], one["quote"], one["start"]) for one in risks_of(review, DIALOGUE)]

    def test_the_gravest_first_and_each_once(self) -> None:
        low, high = {"level": "low", "text": "甲"}, {"level": " High ", "text": "乙"}
        assert [level for level, _, _ in self.risks(low, high, high)] == ["high", "low"]

    @pytest.mark.parametrize(
        ("quote", "kept", "start"),
        [
            ("我受够了", "我受够了", 0.0),
            ("我 CAN’T do it", "我 CAN’T do it", 3.0),
            ("那就算了吧", "那就算了吧", 6.0),
            ("我要报警", "", None),
            ("", "", None),
            ("。", "", None),
        ],
    )
    def test_a_quote_was_said_or_is_none(self, quote: str, kept: str, start: float | None) -> None:
        assert self.risks({"level": "low", "text": "t", "quote": quote}) == [("low", kept, start)]

    def test_what_is_none_is_left_out(self) -> None:
        assert self.risks("threat", {"level": "high"}, None, {"level": "x", "text": "t", "quote": 5}) == [
            ("medium", "", None)
        ]
        assert len(self.risks(*({"level": "low", "text": str(n)} for n in range(30)))) == MOST_RISKS


class TestAnswer:
    @pytest.mark.parametrize(
        ("mood", "expected"), [("72/100", 72.0), (130, 100.0), (-5, 0.0), ("约 40 分", 40.0), (55.5, 55.5)]
    )
    def test_numbers_are_coerced(self, mood: object, expected: float) -> None:
        assert Review.model_validate({"summary": "s", "mood_score": mood}).mood_score == expected

    @pytest.mark.parametrize(
        "text", ['{"summary": "", "mood_score": 1}', '{"summary": "s"}', '{"mood_score": 3}', "[]"]
    )
    def test_without_summary_or_mood_it_is_none(self, text: str) -> None:
        with pytest.raises(Unusable):
            read(text, Review)

    def test_wrong_lists_are_empty_ones(self) -> None:
        odd = {"summary": "s", "mood_score": 1, "risks": None, "speakers": ["甲"], "tags": "家庭"}
        review = Review.model_validate(odd)
        assert (review.risks, review.speakers, review.tags) == ([], {}, ["家庭"])

    def test_the_mapping_has_everybody_and_nobody_else(self) -> None:
        review = Review.model_validate(
            {"summary": "s", "mood_score": 1, "speakers": {"甲": " 经理 ", "丙": "客户", "乙": 3}}
        )
        assert mapping_of(review, DIALOGUE) == {"甲": "经理", "乙": "未知"}


class TestLines:
    def test_as_readers_and_models_see_it(self) -> None:
        said = [Segment(speaker="张:三", start=61.5, end=62, text="在：吗")]
        assert as_text(said) == "张 三: 在：吗"
        assert as_lines(said) == ["[01:01] 张 三: 在：吗"]

    def test_a_short_one_is_one_piece(self) -> None:
        assert pieces_of(DIALOGUE) == ["\n".join(as_lines(DIALOGUE))]

    def test_a_long_one_is_several_and_nothing_is_lost(self) -> None:
        said = [Segment(speaker="甲", start=n, end=n + 1, text=f"第{n}句" + "话" * 100) for n in range(400)]
        pieces = pieces_of(said)
        assert len(pieces) > 1
        assert "\n".join(pieces).splitlines() == as_lines(said)
        assert all(estimate(piece) <= PIECE_BUDGET for piece in pieces)

    def test_of_one_that_is_too_long_the_middle_is_left_out_and_that_is_said(self) -> None:
        said = [Segment(speaker="甲", start=n, end=n + 1, text=f"第{n}句" + "话" * 4000) for n in range(200)]
        pieces = pieces_of(said)
        assert len(pieces) == MOST_PIECES
        assert "第0句" in pieces[0]
        assert "第199句" in pieces[-1]
        left_out = {n for n in range(200) if not any(f"第{n}句" in piece for piece in pieces)}
        assert f"此处省略 {len(left_out)} 句" in pieces[MOST_PIECES // 2 - 1]

    def test_a_segment_larger_than_a_piece_is_cut(self) -> None:
        said = [Segment(speaker="甲", start=0, end=9, text="话" * 30_000)]
        pieces = pieces_of(said)
        assert all(piece.startswith("[00:00] 甲: ") for piece in pieces)
        assert sum(piece.count("话") for piece in pieces) == 30_000
