"""Reading what a model says it heard: forms, times, loops (X028)."""

import json
import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.audio_analysis.hearing import read
from nodes.audio_analysis.loops import repeats_itself, without_loops
from nodes.audio_analysis.utterances import checked
from nodes.common.structured import Unusable
from tools.transcripts.model import Segment

ENTRY = {"speaker": "Speaker_0", "start": 1.0, "end": 2.5, "text": "你好。"}
SEGMENT = Segment(speaker="Speaker_0", start=1.0, end=2.5, text="你好。")


def said(text: str, start: float = 0.0, end: float = 1.0, speaker: str = "Speaker_0") -> Segment:
    return Segment(speaker=speaker, start=start, end=end, text=text)


class TestForms:
    @pytest.mark.parametrize(
        "answer",
        [
            json.dumps({"segments": [ENTRY]}),
            f"```json\n{json.dumps({'segments': [ENTRY]}, indent=1)}\n```\n以上。",
            json.dumps([ENTRY]),
            json.dumps({"language": "zh", "dialogues": [ENTRY]}),
            f'先看 [00:01] 的部分：{{"segments": []}}，再写一次 {json.dumps({"segments": [ENTRY]})}',
        ],
    )
    def test_what_is_meant_is_read(self, answer: str) -> None:
        answered = read(answer, 10)
        assert (answered.segments, answered.whole) == ([SEGMENT], True)

    @pytest.mark.parametrize(
        "answer", ["", "没有人说话。", "[1, 2]", '{"text": 5, "start": "x"}', '{"error": "sorry"}']
    )
    def test_what_is_none(self, answer: str) -> None:
        with pytest.raises(Unusable):
            read(answer, 10)

    def test_silence_is_an_answer(self) -> None:
        answered = read('{"segments": []}', 10)
        assert (answered.segments, answered.whole) == ([], True)

    def test_of_one_that_is_cut_off_the_whole_entries(self) -> None:
        text = json.dumps({"segments": [ENTRY, {**ENTRY, "start": 3, "end": 4}]}, ensure_ascii=False)
        answered = read(text[:-20], 10)
        assert (answered.segments, answered.whole) == ([SEGMENT], False)

    @given(st.text(max_size=300))
    def test_anything_else_is_refused_or_in_order(self, text: str) -> None:
        try:
            answered = read(text, 10)
        except Unusable:
            return
        assert answered.segments == sorted(answered.segments, key=lambda one: one["start"])

    def test_long_ones_take_no_longer_than_they_must(self) -> None:
        for text in ("[" * 200_000, '{"a":' * 40_000, '[{"text": "' * 20_000, "{" * 100_000 + "}" * 100_000):
            assert timeit.timeit(lambda text=text: _read_or_not(text), number=1) < 3  # type: ignore[misc]


def _read_or_not(text: str) -> None:
    with pytest.raises(Unusable):
        read(text, 10)


class TestTimes:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            (1, 2.5, (1.0, 2.5)),
            ("1", "2.5s", (1.0, 2.5)),
            ("00:01", "00:02.5", (1.0, 2.5)),
            ("0:00:01,000", "0:00:02,500", (1.0, 2.5)),
            ("[01:23]", "01:25", (83.0, 85.0)),
            ("1 秒", "2.5秒", (1.0, 2.5)),
            (-0.0, 1, (0.0, 1.0)),
            (98, 120, (98.0, 100.0)),
            (101.5, 103, (99.9, 100.0)),
            (5, 5, (5.0, 5.6)),
            (5, 3, (5.0, 5.6)),
            (5, None, (5.0, 5.6)),
            (5, "later", (5.0, 5.6)),
            (5, 5.01, (5.0, 5.1)),
        ],
    )
    def test_they_are_read_and_kept_within_the_part(self, start: Any, end: Any, expected: tuple[float, float]) -> None:
        [segment] = checked([{"speaker": "A", "start": start, "end": end, "text": "你好。"}], 100)
        assert (segment["start"], segment["end"]) == expected

    def test_other_names_of_them(self) -> None:
        [segment] = checked([{"start_time": "00:05", "end_time": 6, "text": "你好。"}], 100)
        assert (segment["start"], segment["end"], segment["speaker"]) == (5.0, 6.0, "Speaker_0")

    def test_those_of_another_part_are_refused(self) -> None:
        with pytest.raises(Unusable, match="0 到 100 秒"):
            checked([{**ENTRY, "start": 500 + n, "end": 501 + n} for n in range(5)], 100)

    @pytest.mark.parametrize("start", ["soon", True, None, -1, "1e999", float("inf"), float("nan"), [1]])
    def test_no_time_is_no_entry(self, start: Any) -> None:
        with pytest.raises(Unusable, match="speaker、start、end"):
            checked([{**ENTRY, "start": start}], 100)
        assert checked([*[ENTRY] * 4, {**ENTRY, "start": start}], 100) == [SEGMENT] * 4

    @given(
        st.lists(
            st.tuples(st.floats(0, 100), st.floats(0, 100), st.sampled_from("AB"), st.text(max_size=5)), max_size=20
        ),
        st.floats(0.01, 99),
    )
    def test_whatever_they_are_a_segment_is_one(
        self, entries: list[tuple[float, float, str, str]], length: float
    ) -> None:
        given_ = [{"speaker": who, "start": start, "end": end, "text": text} for start, end, who, text in entries]
        try:
            found = checked(given_, length)
        except Unusable:
            return
        assert all(0 <= one["start"] < one["end"] <= round(length, 3) and one["text"].strip() for one in found)


class TestWords:
    def test_empty_ones_are_left_out_and_all_are_in_order(self) -> None:
        entries = [
            {**ENTRY, "start": 3, "end": 4, "text": "后"},
            {**ENTRY, "text": " \n"},
            {**ENTRY, "text": "先\x00\ud800了"},
        ]
        assert [one["text"] for one in checked(entries, 10)] == ["先 了", "后"]

    def test_speakers_are_numbered_as_they_first_speak(self) -> None:
        entries = [{**ENTRY, "start": n, "speaker": who} for n, who in enumerate(["说话人2", "Speaker 1", "说话人2"])]
        assert [one["speaker"] for one in checked(entries, 10)] == ["Speaker_0", "Speaker_1", "Speaker_0"]


class TestLoops:
    def test_a_dozen_times_the_same_is_once(self) -> None:
        loop = [said("嗯，然后呢？"), said("然后就走了。", speaker="Speaker_1")]
        found = without_loops([said("开始。"), *loop * 20, said("最后。")])
        assert [one["text"] for one in found] == ["开始。", "嗯，然后呢？", "然后就走了。", "最后。"]

    def test_eleven_times_is_how_people_speak(self) -> None:
        assert len(without_loops([said("嗯。")] * 11)) == 11

    def test_within_a_text(self) -> None:
        found = without_loops([said("我觉得" + "挺好的，" * 200 + "真的"), said("no " * 12 + "way")])
        assert [one["text"] for one in found] == ["我觉得挺好的，真的", "no " * 12 + "way"]

    def test_an_answer_in_a_loop_is_noticed_though_its_times_go_on(self) -> None:
        entries = [json.dumps({**ENTRY, "start": n / 10, "end": n / 10 + 0.5}) for n in range(40)]
        assert repeats_itself('{"segments": [' + ", ".join(entries))
        assert repeats_itself('{"segments": [{"text": "' + "对" * 700)
        assert not repeats_itself('{"segments": [' + ", ".join(entries[:20]))

    def test_counting_aloud_is_no_loop(self) -> None:
        entries = [json.dumps({**ENTRY, "text": str(n)}) for n in range(100)]
        assert not repeats_itself(", ".join(entries))

    @given(st.lists(st.sampled_from("abc"), max_size=30))
    def test_nothing_is_made_up(self, texts: list[str]) -> None:
        found = [one["text"] for one in without_loops([said(text) for text in texts])]
        assert set(found) == set(texts)
        assert len(found) <= len(texts)

    def test_it_does_not_take_long(self) -> None:
        long = [said("".join(chr(0x4E00 + (n * k) % 5000) for n in range(5000))) for k in range(1, 8)]
        assert timeit.timeit(lambda: without_loops(long), number=1) < 3
        assert timeit.timeit(lambda: repeats_itself("ab" * 100_000), number=20) < 3
