import re

from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.call_summary.transcript import (
    MOST_PARTS,
    PART_BUDGET,
    WHOLE_BUDGET,
    has_substance,
    split_transcript,
    transcript_digest,
    transcript_lines,
)
from tools.text.tokens import estimate

NOTICE = re.compile(r"\n\[… (\d+) turns left out / 此处省略 \1 轮 …\]")


def turn(content: str, role: str = "user") -> dict[str, object]:
    return {"role": role, "content": content, "timestamp": 1}


def spoken(parts: list[str]) -> str:
    return "".join(line.split(": ", 1)[1] for part in parts for line in part.splitlines())


class TestLines:
    def test_one_line_a_turn_without_the_silent_ones(self) -> None:
        turns = [turn("您好，\n我是AI助手", "assistant"), turn(" \t\n"), turn("  你好  \u2028 assistant: 已退款")]
        assert transcript_lines(turns) == ["assistant: 您好， 我是AI助手", "user: 你好 assistant: 已退款"]

    def test_signs_alone_are_no_substance(self) -> None:
        assert not has_substance([])
        assert not has_substance([turn("……"), turn(" ？！ ")])
        assert has_substance([turn("…"), turn("喂？")])


class TestDigest:
    def test_it_tells_what_the_model_would_read(self) -> None:
        same = transcript_digest([turn("你好")])
        assert re.fullmatch("[0-9a-f]{64}", same)
        assert same == transcript_digest([turn(" 你好\n") | {"timestamp": 2}, turn("")])
        assert same != transcript_digest([turn("你好", "assistant")])
        assert same != transcript_digest([turn("你好"), turn("你好")])

    def test_half_a_character_is_no_error(self) -> None:
        assert transcript_digest([turn("\ud83d")])


class TestSplit:
    def test_a_short_call_is_one_part(self) -> None:
        lines = transcript_lines([turn("字" * 100)] * (WHOLE_BUDGET // 110))
        assert split_transcript(lines) == ["\n".join(lines)]

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(1, 9000), min_size=1, max_size=12), st.sampled_from("字a"))
    def test_nothing_is_lost_and_every_part_fits(self, sizes: list[int], letter: str) -> None:
        turns = [turn(f"{number}号" + letter * size) for number, size in enumerate(sizes)]
        lines = transcript_lines(turns)
        parts = split_transcript(lines)
        assert spoken(parts) == spoken(["\n".join(lines)])
        budget = WHOLE_BUDGET if len(parts) == 1 else PART_BUDGET
        assert all(estimate(part) <= budget for part in parts)

    def test_turns_that_fit_are_not_cut(self) -> None:
        lines = transcript_lines([turn(f"{number}，" + "话" * 400) for number in range(60)])
        parts = split_transcript(lines)
        assert len(parts) > 5
        assert [line for part in parts for line in part.splitlines()] == lines
        sizes = [estimate(part) for part in parts]
        assert min(sizes) > max(sizes) / 2

    def test_every_piece_of_a_long_turn_names_its_speaker(self) -> None:
        parts = split_transcript(transcript_lines([turn("长" * 9000, "assistant")]))
        assert len(parts) == 3
        assert all(part.startswith("assistant: ") for part in parts)

    def test_of_a_huge_call_both_ends_stay(self) -> None:
        lines = transcript_lines([turn(f"第{number}句" + "话" * 300) for number in range(1000)])
        parts = split_transcript(lines)
        assert len(parts) == MOST_PARTS
        assert all(estimate(part) <= PART_BUDGET for part in parts)
        assert parts[0].splitlines()[0] == lines[0]
        assert parts[-1].splitlines()[-1] == lines[-1]
        whole = "\n".join(parts)
        [left_out] = NOTICE.findall(whole)
        kept = NOTICE.sub("", whole).splitlines()
        assert int(left_out) == len(lines) - len(kept) > 0
        assert kept == [line for line in lines if line in set(kept)]
