"""Parts joined: no word twice, none lost, one name for one person, whatever the models' times are."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tools.audio.joining import Heard, join
from tools.audio.parts import Part, plan
from tools.audio.words import words
from tools.transcripts.model import Segment

REPETITIVE = st.lists(st.sampled_from(["no ", "no. ", "yes ", "好", "好，", "的"]), min_size=1, max_size=80)
JITTER = st.floats(-1.5, 1.5)


def spoken(texts: list[str], each: float = 0.5, speaker: str = "S1") -> list[Segment]:
    """Return a segment a word, one after the other."""
    return [
        Segment(speaker=speaker, start=number * each, end=(number + 1) * each, text=text)
        for number, text in enumerate(texts)
    ]


def hear(segments: list[Segment], part: Part, late: float = 0.0) -> Heard:
    """Return what of the segments a perfect ear hears in a part; all times are `late` by some seconds."""
    heard = [one for one in segments if part.start <= (one["start"] + one["end"]) / 2 < part.end]
    shift = late - part.start
    return Heard(part, [Segment(**{**one, "start": one["start"] + shift, "end": one["end"] + shift}) for one in heard])


def text_of(segments: list[Segment]) -> str:
    return "".join("".join(one["text"].split()) for one in segments)


@given(REPETITIVE, st.floats(5, 12), st.floats(0, 2))
@example(["no "] * 11, 5.0, 0.125)
@example(["no "] * 11, 5.0, 0.0)
def test_with_right_times_even_repetitions_come_out_once(texts: list[str], part: float, overlap: float) -> None:
    said = spoken(texts)
    heard = [hear(said, stretch) for stretch in plan(len(texts) * 0.5, part, overlap)]
    assert text_of(join(heard)) == text_of(said)


@given(count=st.integers(60, 200), late=st.lists(JITTER, min_size=20, max_size=20), broken=st.booleans())
def test_with_times_off_and_words_broken_at_the_edges(count: int, late: list[float], *, broken: bool) -> None:
    said = spoken([f"w{number} " for number in range(count)])
    parts = plan(count * 0.5, 20.0, 6.0)
    heard = [hear(said, part, late[at % len(late)]) for at, part in enumerate(parts)]
    if broken:
        for one in heard[:-1]:
            one.segments[-1]["text"] = "mumble "
        for one in heard[1:]:
            one.segments[0]["text"] = "mumble "
    assert text_of(join(heard)) == text_of(said)


@given(REPETITIVE, REPETITIVE, st.floats(0, 5))
def test_whatever_was_heard_it_is_the_beginning_of_one_and_the_end_of_the_other(
    first: list[str], second: list[str], overlap: float
) -> None:
    end = len(first) * 0.5
    start = max(0.0, end - overlap)
    parts = [Part(0.0, end), Part(start, start + len(second) * 0.5)]
    joined = text_of(join([Heard(parts[0], spoken(first)), Heard(parts[1], spoken(second))]))
    ours, theirs = text_of(spoken(first)), text_of(spoken(second))
    assert any(ours.startswith(joined[:at]) and theirs.endswith(joined[at:]) for at in range(len(joined) + 1))


def test_a_sentence_over_the_seam_stays_one() -> None:
    first = [Segment(speaker="老板", start=0, end=10, text="这个季度的目标是把成本降下来，同时")]
    second = [Segment(speaker="老板", start=0, end=6, text="把成本降下来，同时提高质量。")]
    joined = join([Heard(Part(0, 10), first), Heard(Part(5.5, 20), second)])
    assert [one["text"] for one in joined] == ["这个季度的目标是把成本降下来，同时提高质量。"]
    assert (joined[0]["start"], joined[0]["end"]) == (0, 11.5)


def test_speakers_keep_their_names() -> None:
    """The second part calls the same two people the other way round."""
    first = [
        Segment(speaker="S1", start=0, end=4, text="where is the report"),
        Segment(speaker="S2", start=4, end=10, text="it will be ready by tomorrow noon"),
    ]
    second = [
        Segment(speaker="S1", start=0, end=6, text="it will be ready by tomorrow noon"),
        Segment(speaker="S2", start=6, end=9, text="good I will wait"),
        Segment(speaker="S3", start=9, end=10, text="hello"),
    ]
    joined = join([Heard(Part(0, 10), first), Heard(Part(4, 20), second)])
    assert [(one["speaker"], one["text"]) for one in joined] == [
        ("S1", "where is the report"),
        ("S2", "it will be ready by tomorrow noon"),
        ("S1", "good I will wait"),
        ("S3", "hello"),
    ]


def test_a_stranger_does_not_get_anothers_name() -> None:
    first = [Segment(speaker="S1", start=0, end=10, text="one two three four five")]
    second = [
        Segment(speaker="S2", start=0, end=6, text="three four five"),
        Segment(speaker="S1", start=6, end=9, text="who are you"),
    ]
    joined = join([Heard(Part(0, 10), first), Heard(Part(4, 20), second)])
    assert [one["speaker"] for one in joined] == ["S1", "S1 2"]


def test_silence_in_the_overlap() -> None:
    first = [Segment(speaker="S1", start=0, end=3, text="before")]
    second = [Segment(speaker="S1", start=8, end=9, text="after")]
    joined = join([Heard(Part(0, 10), first), Heard(Part(5, 20), second)])
    assert [(one["start"], one["text"]) for one in joined] == [(0, "before"), (13, "after")]
    assert join([]) == []
    assert join([Heard(Part(0, 10), []), Heard(Part(5, 20), second)])[0]["text"] == "after"


@given(st.text(max_size=60))
def test_words_together_are_the_text(text: str) -> None:
    found = words([Segment(speaker="S", start=1, end=2, text=text)], Part(0, 9))
    assert "".join(word.text for word in found) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("好的，明天见。", ["好", "的，", "明", "天", "见。"]),
        ("It's a well-known AI模型!", ["It's ", "a ", "well-known ", "AI", "模", "型!"]),
        ("……嗯", ["……", "嗯"]),
    ],
)
def test_what_a_word_is(text: str, expected: list[str]) -> None:
    assert [word.text for word in words([Segment(speaker="S", start=0, end=1, text=text)], Part(0, 9))] == expected


class TestThePlan:
    @given(st.floats(0.01, 50_000), st.floats(10, 1000), st.floats(0, 4.9))
    def test_parts_cover_all_are_none_too_long_and_overlap(self, duration: float, part: float, overlap: float) -> None:
        parts = plan(duration, part, overlap)
        assert parts[0].start == 0
        assert parts[-1].end == pytest.approx(duration)
        assert all(0 < one.end - one.start <= part + 1e-6 for one in parts)
        for one, following in pairwise(parts):
            assert one.end - following.start == pytest.approx(overlap, abs=1e-6)

    @pytest.mark.parametrize(("duration", "part", "overlap"), [(0, 10, 1), (float("nan"), 10, 1), (10, 10, 5)])
    def test_what_cannot_be_planned(self, duration: float, part: float, overlap: float) -> None:
        with pytest.raises(ValueError, match="duration"):
            plan(duration, part, overlap)


def test_a_time_beyond_the_parts_end_loses_nothing() -> None:
    first = [Segment(speaker="S1", start=0, end=60, text="one two")]
    second = [Segment(speaker="S1", start=9, end=10, text="three")]
    joined = join([Heard(Part(0, 10), first), Heard(Part(8, 20), second)])
    assert [(one["text"], one["end"]) for one in joined] == [("one two", 10), ("three", 18)]
