"""Cuts are exact to the sample, in every container, near the beginning and far into a recording (A029, G10)."""

import math
from array import array
from pathlib import Path

import pytest

from tests.kit import recordings
from tools.audio.cut import cut
from tools.audio.decoding import opened
from tools.audio.model import MOST_CUT_SECONDS, AudioRefused
from tools.audio.samples import located

SECONDS = 10
EARLY, LATE = 1.234, 8.3571
SOURCE = {rate: recordings.pulses(SECONDS, rate, [EARLY, LATE]) for rate in (44_100, 48_000)}


def twice(samples: "array[int]") -> "array[int]":
    both = array("h", bytes(4 * len(samples)))
    both[0::2] = both[1::2] = samples
    return both


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for kind, form in recordings.FORMS.items():
        samples = SOURCE[form.rate]
        if kind == "ogg":
            samples = twice(samples)
        recordings.write(folder / f"a.{kind}", kind, samples, channels=2 if kind == "ogg" else 1)
    return folder


@pytest.mark.parametrize("kind", ["wav", "flac"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (1.1, 2.3), (0.00003, 1.99999), (7.0, 8.5), (9.5, 10.0)])
def test_what_loses_nothing_is_cut_without_any_difference(
    folder: Path, tmp_path: Path, kind: str, start: float, end: float
) -> None:
    piece = cut(folder / f"a.{kind}", start, end, tmp_path / "piece.wav")
    rate, channels, samples = recordings.read_wav(tmp_path / "piece.wav")
    assert (rate, channels) == (piece.sample_rate, piece.channels) == (44_100, 1)
    assert samples == SOURCE[44_100][round(start * rate) : round(end * rate)]


@pytest.mark.parametrize("kind", recordings.FORMS)
@pytest.mark.parametrize("time", [EARLY, LATE])
def test_a_pulse_stands_where_it_was(folder: Path, tmp_path: Path, kind: str, time: float) -> None:
    start = time - 0.4
    cut(folder / f"a.{kind}", start, time + 0.3, tmp_path / "piece.wav")
    rate, channels, samples = recordings.read_wav(tmp_path / "piece.wav")
    first = samples[::channels]
    assert len(first) == round((time + 0.3) * rate) - round(start * rate)
    loudest = first.index(max(first))
    found = (loudest + round(start * rate)) / rate
    # A raw .aac says nowhere how many samples its encoder put in front (G10).
    allowed = 0.03 if kind == "aac" else 1.5 / rate
    assert abs(found - round(time * rate) / rate) <= allowed


@pytest.mark.parametrize("kind", ["flac", "mp3", "m4a", "opus", "webm"])
def test_two_channels_stay_two(tmp_path: Path, kind: str) -> None:
    rate = recordings.FORMS[kind].rate
    left, right = recordings.pulses(2, rate, [0.5]), recordings.pulses(2, rate, [1.5])
    both = twice(left)
    both[1::2] = right
    recordings.write(tmp_path / "a", kind, both, channels=2)
    piece = cut(tmp_path / "a", 0.25, 1.75, tmp_path / "piece.wav")
    assert piece.channels == 2
    _, _, samples = recordings.read_wav(tmp_path / "piece.wav")
    places = [side.index(max(side)) / rate for side in (samples[::2], samples[1::2])]
    assert places == pytest.approx([0.25, 1.25], abs=2 / rate)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (-1.0, 1.0),
        (1.0, 1.0),
        (2.0, 1.0),
        (9.0, 10.1),
        (30.0, 31.0),
        (1.0, 1.000001),
        (0.0, MOST_CUT_SECONDS + 1),
        (math.nan, 1.0),
        (0.0, math.inf),
    ],
)
def test_a_range_that_is_not_within_the_recording(folder: Path, tmp_path: Path, start: float, end: float) -> None:
    with pytest.raises(AudioRefused) as refused:
        cut(folder / "a.flac", start, end, tmp_path / "piece.wav")
    assert refused.value.reason == "range"
    assert not (tmp_path / "piece.wav").exists()


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "m4a", "mp4", "ogg", "opus"])
def test_a_late_cut_does_not_decode_what_comes_before_it(folder: Path, kind: str) -> None:
    with opened(folder / f"a.{kind}") as recording:
        position, frame = next(located(recording, LATE, seek=True))
        assert LATE - 3 < position / frame.sample_rate < LATE
