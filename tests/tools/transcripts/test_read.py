"""Transcripts that people bring: WebVTT, SRT and JSON, and what is refused."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.transcripts.model import MOST_BYTES, MOST_SEGMENTS, MOST_TEXT, UNKNOWN_SPEAKER, TranscriptRefused
from tools.transcripts.read import read

VTT = """WEBVTT - 会议

STYLE
::cue { color: red }

NOTE this is
not said

intro
00:00.500 --> 00:02.000 align:start position:0%
<v 老板>小王，<b>方案</b>&amp;预算呢？</v>

00:01:02.250 --> 00:01:04.250
<v.loud 小王>明天上午给您。<v 老板>好的，抓紧。
"""
SRT = """1
00:00:00,500 --> 00:00:02,000
老板：小王，方案呢？

2
00:00:02,500 --> 00:00:04,000
<i>小王：</i>明天上午
给您。

3
00:00:05,000 --> 00:00:06,000
老板：好的。
"""


def said(content: str | bytes, duration: float | None = None) -> list[tuple[str, float, float, str]]:
    segments = read(content.encode() if isinstance(content, str) else content, duration)
    return [(found["speaker"], found["start"], found["end"], found["text"]) for found in segments]


class TestWebVtt:
    def test_voices_notes_styles_and_settings(self) -> None:
        assert said(VTT) == [
            ("老板", 0.5, 2.0, "小王，方案&预算呢？"),
            ("小王", 62.25, 63.327, "明天上午给您。"),
            ("老板", 63.327, 64.25, "好的，抓紧。"),
        ]

    @pytest.mark.parametrize("ends", ["\r\n", "\r"])
    def test_a_mark_and_other_ends_of_lines(self, ends: str) -> None:
        assert said(b"\xef\xbb\xbf" + VTT.replace("\n", ends).encode()) == said(VTT)

    def test_a_colon_makes_no_name_by_itself(self) -> None:
        text = "WEBVTT\n\n00:01.000 --> 00:02.000\n注意：明天交\n\n00:03.000 --> 00:04.000\n12:30 we met\n"
        assert said(text) == [(UNKNOWN_SPEAKER, 1.0, 2.0, "注意：明天交"), (UNKNOWN_SPEAKER, 3.0, 4.0, "12:30 we met")]


class TestSrt:
    def test_names_and_several_lines(self) -> None:
        assert said(SRT) == [
            ("老板", 0.5, 2.0, "小王，方案呢？"),
            ("小王", 2.5, 4.0, "明天上午 给您。"),
            ("老板", 5.0, 6.0, "好的。"),
        ]

    def test_names_in_brackets(self) -> None:
        text = "1\n00:00:01,000 --> 00:00:02,000\n[Boss] Where is it?\n\n2\n00:00:03,000 --> 00:00:04,000\nHere.\n"
        assert said(text) == [("Boss", 1.0, 2.0, "Where is it?"), (UNKNOWN_SPEAKER, 3.0, 4.0, "Here.")]

    def test_cues_out_of_order_are_sorted_and_may_overlap(self) -> None:
        text = "00:00:03,000 --> 00:00:05,000\nB\n\n00:00:01,000 --> 00:00:04,000\nA\n"
        assert [text for *_, text in said(text)] == ["A", "B"]


class TestJson:
    def test_the_documented_form_and_a_bare_list(self) -> None:
        entry = {"speaker": "老板", "start": 0, "end": 1.5, "text": " 方案\n呢？\u0000", "avg_logprob": -0.2}
        expected = [("老板", 0.0, 1.5, "方案 呢？")]
        assert said(json.dumps({"segments": [entry], "language": "zh"})) == expected
        assert said(json.dumps([entry])) == expected

    def test_a_recogniser_without_speakers(self) -> None:
        assert said('[{"start": 1, "end": 2, "text": "hello"}]') == [(UNKNOWN_SPEAKER, 1.0, 2.0, "hello")]


def entry(**changes: Any) -> str:
    return json.dumps([{"speaker": "a", "start": 0, "end": 1, "text": "t", **changes}])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("WEBVTT\n", "empty"),
        ("[]", "empty"),
        (entry(text=" "), "empty"),
        ("just some words", "unsupported"),
        (b"\xff\xfe\x00", "encoding"),
        (b"{" * 100_000, "broken"),
        ("[1]", "broken"),
        ("{}", "broken"),
        ('{"segments": {}}', "broken"),
        (entry(text=None), "broken"),
        (entry(speaker=3), "broken"),
        (entry(start="0"), "times"),
        (entry(start=True), "times"),
        (entry(end=None), "times"),
        (entry(start=-1), "times"),
        (entry(start=1), "times"),
        (entry(end=1e300), "times"),
        ('[{"start": 0, "end": NaN, "text": "t"}]', "broken"),
        (entry(text="t" * (MOST_TEXT + 1)), "too_large"),
        (entry(speaker="s" * 61), "too_large"),
        (json.dumps([{"start": 0, "end": 1, "text": "t"}] * (MOST_SEGMENTS + 1)), "too_large"),
        (b" " * (MOST_BYTES + 1), "too_large"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\na\n\nnot a cue\n", "broken"),
        ("WEBVTT\n\n00:61.000 --> 00:62.000\na\n", "times"),
        ("WEBVTT\n\n00:02.000 --> 00:01.000\na\n", "times"),
    ],
)
def test_what_is_refused(content: str | bytes, reason: str) -> None:
    with pytest.raises(TranscriptRefused) as refused:
        said(content)
    assert refused.value.reason == reason
    assert refused.value.status == 400


class TestTheRecordingsLength:
    def test_an_end_a_little_beyond_it_is_its_end(self) -> None:
        assert said(entry(end=10.5), 10.0) == [("a", 0.0, 10.0, "t")]

    @pytest.mark.parametrize("times", [{"end": 13}, {"start": 10.5, "end": 11}])
    def test_another_recordings_transcript(self, times: dict[str, float]) -> None:
        with pytest.raises(TranscriptRefused) as refused:
            said(entry(**times), 10.0)
        assert refused.value.reason == "outside"


@given(text=st.text(alphabet=st.sampled_from('WEBVT\n 01:.,->[]{}"<v>老：{\\a'), max_size=200), header=st.booleans())
def test_no_text_makes_it_stumble(text: str, *, header: bool) -> None:
    try:
        segments = read((f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}" if header else text).encode())
    except TranscriptRefused:
        return
    assert all(0 <= found["start"] < found["end"] and found["text"] and found["speaker"] for found in segments)
    assert not any(re.search(r"[\n\x00]", found["text"]) for found in segments)


@pytest.mark.parametrize(
    "text", ["<" * 500_000, "<v " * 300_000, "{\\" * 500_000, "a" * 1_000_000 + ":", "[" * 500_000, "\n \n" * 300_000]
)
def test_long_texts_are_read_in_linear_time(text: str) -> None:
    with pytest.raises(TranscriptRefused):
        read(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}".encode())
