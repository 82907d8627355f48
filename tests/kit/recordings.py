"""Recordings for tests, made by PyAV: pulses at known times on a quiet tone, in every container that is read."""

import math
import wave
from array import array
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

BLOCK = 4096
LOUD = 28_000


class Form(NamedTuple):
    """How PyAV is told to write one kind of recording."""

    format: str
    codec: str
    rate: int


FORMS = {
    "wav": Form("wav", "pcm_s16le", 44_100),
    "flac": Form("flac", "flac", 44_100),
    "mp3": Form("mp3", "libmp3lame", 44_100),
    "m4a": Form("ipod", "aac", 44_100),
    "mp4": Form("mp4", "aac", 48_000),
    "aac": Form("adts", "aac", 44_100),
    "ogg": Form("ogg", "vorbis", 44_100),
    "opus": Form("ogg", "libopus", 48_000),
    "webm": Form("webm", "libopus", 48_000),
}


def pulses(seconds: float, rate: int, times: Iterable[float] = ()) -> "array[int]":
    """Return a quiet tone with a short pulse around each time; its loudest sample is the one nearest to the time."""
    second = array("h", (int(300 * math.sin(math.tau * 220 * n / rate)) for n in range(rate)))
    samples = (second * math.ceil(seconds))[: round(seconds * rate)]
    for time in times:
        middle = round(time * rate)
        for away in range(-12, 13):
            samples[middle + away] = int(LOUD * math.cos(math.pi * away / 26) ** 2)
    return samples


def write(path: Path, kind: str, samples: "array[int]", *, channels: int = 1, **options: str) -> Path:
    """Write interleaved samples of the kind's rate."""
    form = FORMS[kind]
    with av.open(str(path), "w", format=form.format, options=options) as container:
        stream = container.add_stream(form.codec, rate=form.rate, options={"strict": "experimental"})
        assert isinstance(stream, AudioStream)
        # FFmpeg's own Vorbis encoder knows two channels only.
        stream.layout = "stereo" if channels == 2 or form.codec == "vorbis" else "mono"
        for frame in blocks(samples, channels, form.rate):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def blocks(samples: "array[int]", channels: int, rate: int) -> Iterator[AudioFrame]:
    """Return frames of interleaved samples, with their times."""
    for at in range(0, len(samples), BLOCK * channels):
        piece = samples[at : at + BLOCK * channels].tobytes()
        layout = "stereo" if channels == 2 else "mono"
        frame = AudioFrame(format="s16", layout=layout, samples=len(piece) // 2 // channels)
        plane: Any = frame.planes[0]
        plane.update(piece + bytes(plane.buffer_size - len(piece)))
        frame.sample_rate, frame.pts, frame.time_base = rate, at // channels, Fraction(1, rate)
        yield frame


def video(path: Path) -> Path:
    """Write a video without any sound."""
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    return path


def read_wav(path: Path) -> tuple[int, int, "array[int]"]:
    """Return a WAV file's rate, channels and interleaved samples."""
    with wave.open(str(path)) as file:
        return file.getframerate(), file.getnchannels(), array("h", file.readframes(file.getnframes()))
