"""Recordings of strangers, in a process of their own: what they are, and what is refused (G05, G10, X034)."""

import asyncio
import os
import random
import subprocess
import sys
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core.errors import Unavailable
from tests.kit import recordings
from tools.audio import decoding, peaks, probe
from tools.audio.model import MOST_BUCKETS, AudioRefused
from tools.audio.parts import RATE, Part, plan, write_parts
from tools.audio.worker import AudioTools

CODECS = {"wav": "pcm_s16le", "flac": "flac", "mp3": "mp3", "ogg": "vorbis", "opus": "opus", "webm": "opus"}
CONTAINERS = {"m4a": "mp4", "opus": "ogg"}


def recording(path: Path, kind: str = "wav", seconds: float = 2.0, times: tuple[float, ...] = (0.5,)) -> Path:
    samples = recordings.pulses(seconds, recordings.FORMS[kind].rate, times)
    if kind == "ogg":
        samples = array("h", (value for sample in samples for value in (sample, sample)))
    return recordings.write(path, kind, samples, channels=2 if kind == "ogg" else 1)


@pytest.mark.parametrize("kind", recordings.FORMS)
def test_what_a_recording_is_says_its_content(tmp_path: Path, kind: str) -> None:
    found = probe.probe(recording(tmp_path / "a.txt", kind))
    assert found.container == CONTAINERS.get(kind, kind)
    assert found.codec == CODECS.get(kind, "aac")
    assert found.sample_rate == recordings.FORMS[kind].rate
    assert found.channels == (2 if kind == "ogg" else 1)
    # Encoders of AAC and FFmpeg's of Vorbis fill their last frames up.
    assert 2.0 <= found.duration < (2.0001 if kind in {"wav", "flac", "mp3", "opus", "webm"} else 2.05)


def truncated(path: Path, kind: str, part: float) -> Path:
    content = recording(path, kind).read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


def text(path: Path) -> Path:
    path.write_text("老板：方案呢？\n" * 100)
    return path


def playlist(path: Path) -> Path:
    """FFmpeg would read it, and open what it names."""
    other = recording(path.with_name("other.wav"))
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:{other}\n#EXT-X-ENDLIST\n")
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def without_samples(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 44_100, 0, "NONE", ""))
    return path


def noise(path: Path) -> Path:
    """The header of an mp3, and then nothing of one."""
    whole = recording(path, "mp3").read_bytes()
    path.write_bytes(whole[:600] + bytes(range(1, 251)) * 400)
    return path


def rare_codec(path: Path) -> Path:
    form = recordings.Form("matroska", "ac3", 48_000)
    samples = recordings.pulses(1, 48_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recordings.FORMS, "rare", form)
        return recordings.write(path, "rare", samples)


@pytest.mark.parametrize(
    ("make", "reasons"),
    [
        (text, {"unsupported"}),
        (playlist, {"unsupported"}),
        (empty, {"empty"}),
        (without_samples, {"empty"}),
        (noise, {"unsupported", "broken"}),
        (recordings.video, {"no_audio"}),
        (rare_codec, {"unsupported"}),
        (lambda path: truncated(path, "m4a", 0.6), {"broken"}),
        (lambda path: truncated(path, "ogg", 0.01), {"broken"}),
    ],
)
async def test_what_is_refused(tmp_path: Path, make: Callable[[Path], Path], reasons: set[str]) -> None:
    path = make(tmp_path / "a.wav")
    with pytest.raises(AudioRefused) as refused:
        await AudioTools().probe(path)
    assert refused.value.reason in reasons
    assert refused.value.status == 400
    assert str(tmp_path) not in refused.value.message


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "opus", "webm"])
def test_of_a_truncated_recording_what_is_there(tmp_path: Path, kind: str) -> None:
    found = probe.probe(truncated(tmp_path / "a", kind, 0.6))
    assert 0.6 < found.duration < 1.7


def test_a_header_that_lies(tmp_path: Path) -> None:
    """The decoded length is trusted, and an hour that is claimed costs nothing."""
    path = recording(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = (44_100 * 2 * 36_000 % 2**32).to_bytes(4, "little")
    path.write_bytes(content)
    found = probe.probe(path)
    assert found.duration == 2.0
    assert found.claimed is not None


def test_a_recording_that_is_too_long(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.flac", "flac", 3.0)
    with decoding.opened(path) as opened, pytest.raises(AudioRefused) as refused:
        sum(frame.samples for frame in decoding.frames(opened, most_seconds=2.5))
    assert refused.value.reason == "too_long"


def test_a_rate_that_changes_in_the_middle(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recordings.FORMS, "mp3", recordings.Form("mp3", "libmp3lame", 22_050))
        second = recording(tmp_path / "b", "mp3").read_bytes()
    whole = recording(tmp_path / "c", "mp3").read_bytes()
    (tmp_path / "d").write_bytes(whole + second)
    with pytest.raises(AudioRefused) as refused:
        probe.probe(tmp_path / "d")
    assert refused.value.reason == "changing"


class TestPeaks:
    @pytest.mark.parametrize("kind", ["wav", "mp3", "opus"])
    def test_the_pulse_stands_out_in_its_bucket(self, tmp_path: Path, kind: str) -> None:
        found = peaks.peaks(recording(tmp_path / "a", kind, 4.0, (2.55,)), 40)
        assert len(found.lowest) == len(found.highest) == 40
        assert found.highest.index(max(found.highest)) == 25
        assert max(found.highest) > 0.4
        assert all(-1 <= low <= high <= 1 for low, high in zip(found.lowest, found.highest, strict=True))
        assert sorted(found.highest)[-2] < 0.1
        assert found.duration == pytest.approx(4.0, abs=0.01)

    def test_channels_that_cancel_one_another_out(self, tmp_path: Path) -> None:
        left = recordings.pulses(1, 44_100, [0.5])
        both = array("h", (value for sample in left for value in (sample, -sample)))
        found = peaks.peaks(recordings.write(tmp_path / "a", "wav", both, channels=2), 10)
        assert (max(found.highest) > 0.4, min(found.lowest) < -0.4) == (True, True)

    def test_few_samples_are_few_buckets(self, tmp_path: Path) -> None:
        found = peaks.peaks(recordings.write(tmp_path / "a", "wav", array("h", [9000] * 2000)), MOST_BUCKETS)
        assert 300 < len(found.highest) < 400

    @pytest.mark.parametrize("buckets", [0, MOST_BUCKETS + 1])
    def test_bounds(self, tmp_path: Path, buckets: int) -> None:
        with pytest.raises(ValueError, match="buckets"):
            peaks.peaks(tmp_path / "a", buckets)


def test_parts_hold_what_they_say(tmp_path: Path) -> None:
    path = recording(tmp_path / "a", "m4a", 6.0, (2.2, 5.1))
    duration = probe.probe(path).duration
    parts = plan(duration, 2.5, 0.5)
    assert len(parts) == 3
    places = []
    for part, written in zip(parts, write_parts(path, parts, tmp_path), strict=True):
        rate, channels, samples = recordings.read_wav(written)
        assert (rate, channels) == (RATE, 1)
        assert len(samples) / RATE == pytest.approx(part.end - part.start, abs=0.001)
        places.append(part.start + samples.index(max(samples)) / RATE)
    # 2.2 lies in the overlap of the first two.
    assert places == pytest.approx([2.2, 2.2, 5.1], abs=0.001)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "m4a", "ogg", "opus", "webm"])
def test_a_late_part_alone_is_what_it_is_among_all(tmp_path: Path, kind: str) -> None:
    path = recording(tmp_path / "a", kind, 14.0, (7.3, 10.6))
    (tmp_path / "alone").mkdir()
    parts = [Part(0.0, 7.0), Part(6.5, 11.0), Part(10.5, 14.0)]
    _, second, _ = write_parts(path, parts, tmp_path)
    [alone] = write_parts(path, parts[1:2], tmp_path / "alone")
    for written in (second, alone):
        _, _, samples = recordings.read_wav(written)
        assert len(samples) == 4.5 * RATE
        halves = samples[: 2 * RATE], samples[2 * RATE :]
        first, second_one = (half.index(max(half)) / RATE for half in halves)
        assert (6.5 + first, 8.5 + second_one) == pytest.approx((7.3, 10.6), abs=0.002)


class TestTheProcess:
    async def test_each_task_in_it(self, tmp_path: Path) -> None:
        tools, path = AudioTools(), recording(tmp_path / "a.mp3", "mp3")
        found = await tools.probe(path)
        piece = await tools.cut(path, 0.4, 0.6, tmp_path / "piece.wav")
        drawn = await tools.peaks(path, 20)
        parts = await tools.write_parts(path, [Part(0, 1.2), Part(1, found.duration)], tmp_path)
        assert (found.duration, piece.end, len(drawn.highest)) == (2.0, 0.6, 20)
        assert [part.name for part in parts] == ["part-000.wav", "part-001.wav"]
        assert recordings.read_wav(tmp_path / "piece.wav")[0] == 44_100

    async def test_a_slow_one_is_killed(self, tmp_path: Path) -> None:
        with pytest.raises(AudioRefused) as refused:
            await AudioTools(seconds=0.01).probe(recording(tmp_path / "a.wav"))
        assert refused.value.reason == "too_slow"
        assert not children()

    async def test_a_caller_who_goes_away_takes_it_along(self, tmp_path: Path) -> None:
        task = asyncio.create_task(AudioTools().probe(recording(tmp_path / "a.wav")))
        while not children():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not children()

    async def test_it_knows_no_secrets(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        seen = tmp_path / "seen"
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\nenv > {seen}\nexit 1\n")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        with pytest.raises(AudioRefused) as refused:
            await AudioTools().probe(tmp_path / "a")
        assert refused.value.reason == "failed"
        assert "secret" not in seen.read_text()

    async def test_a_recording_that_is_gone(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            await AudioTools().probe(tmp_path / "a.wav")

    async def test_a_full_disk(self, tmp_path: Path) -> None:
        (tmp_path / "full.wav").symlink_to("/dev/full")
        with pytest.raises(Unavailable):
            await AudioTools().cut(recording(tmp_path / "a.wav"), 0, 2, tmp_path / "full.wav")


def children() -> list[psutil.Process]:
    return [
        child for child in psutil.Process(os.getpid()).children() if "tools.audio.child" in " ".join(child.cmdline())
    ]


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Ten minutes are 53 MB; the process that draws them, which has 38 MB at its beginning, does not hold them."""
    path = recordings.write(tmp_path / "a.wav", "wav", recordings.pulses(1, 44_100, [0.5]) * 600)
    # Not the system's `ru_maxrss`: a child begins with its parent's.
    program = (
        "import runpy, sys; runpy.run_module('tools.audio.child', run_name='__main__');"
        "print(*[line[6:-4] for line in open('/proc/self/status') if line[:6] == 'VmHWM:'], file=sys.stderr)"
    )
    request = f'{{"task":"peaks","path":"{path}","buckets":1000}}'
    done = subprocess.run([sys.executable, "-c", program, request], capture_output=True, check=True, timeout=60)
    assert int(done.stderr) < 60 * 1024


@pytest.mark.parametrize("kind", ["flac", "mp3", "m4a", "webm"])
def test_damaged_recordings_are_read_or_refused_and_nothing_else(tmp_path: Path, kind: str) -> None:
    whole, chance = recording(tmp_path / "a", kind).read_bytes(), random.Random(8)
    outcomes: set[str] = set()
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 10, 100])):
            damaged[chance.randrange(chance.choice([500, len(whole)]))] = chance.randrange(256)
        (tmp_path / "b").write_bytes(damaged)
        try:
            outcomes.add(f"{len(peaks.peaks(tmp_path / 'b', 10).highest)} buckets")
        except AudioRefused as refusal:
            outcomes.add(refusal.reason)
    assert len(outcomes) > 1
