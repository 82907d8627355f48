"""From decoded frames to plain samples of 16 bits, and where each stands in the recording."""

import wave
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from tools.audio.decoding import Recording, frames
from tools.audio.model import AudioRefused

SAMPLE_BYTES: Final = 2
# Their packets' times are exact to the sample, so a cut late in an hour need not decode what comes before it.
_SEEKABLE: Final = frozenset({"wav", "flac", "mp3", "mp4", "ogg"})
# Decoders need some packets before they are right: an mp3 its bit reservoir, Opus 80 ms.
_LEAD_SECONDS: Final = 2.0


class Missed(Exception):
    """After seeking it is not known where the frames stand; decode from the beginning instead."""


def located(recording: Recording, start: float, *, seek: bool) -> Iterator[tuple[int, AudioFrame]]:
    """Return frames with the number of samples before each; with `seek`, from a little before `start` seconds.

    Times count from the first sample: what a container's first time stamp is says nothing about the sound.

    Raises:
        Missed: seeking did not work for this file.
    """
    sought = seek and start > 2 * _LEAD_SECONDS and recording.container in _SEEKABLE
    if sought:
        _seek(recording, start - _LEAD_SECONDS)
    position = None if sought else 0
    try:
        for frame in frames(recording):
            if position is None:
                position = _position(recording, frame)
            yield position, frame
            position += frame.samples
    except AudioRefused as refusal:
        if sought and refusal.reason in ("empty", "broken"):
            raise Missed from None
        raise


def _seek(recording: Recording, seconds: float) -> None:
    stream = recording.stream
    if stream.time_base is None:
        raise Missed
    try:
        recording.input.seek((stream.start_time or 0) + int(seconds / stream.time_base), stream=stream)
    except FFmpegError:
        raise Missed from None


def _position(recording: Recording, frame: AudioFrame) -> int:
    if frame.pts is None or frame.time_base is None:
        raise Missed
    stream = recording.stream
    start = (stream.start_time or 0) * (stream.time_base or 0)
    return round((frame.pts * frame.time_base - start) * frame.sample_rate)


def resampled(
    decoded: Iterable[AudioFrame], *, planar: bool = False, layout: str | None = None, rate: int | None = None
) -> Iterator[AudioFrame]:
    """Return frames of 16-bit samples; without `layout` and `rate` those stay as they are."""
    resampler = AudioResampler(format="s16p" if planar else "s16", layout=layout, rate=rate)
    try:
        for frame in decoded:
            # Times are counted in samples here; a gap in a container's own must not be filled with silence.
            frame.pts = None
            yield from resampler.resample(frame)
        yield from resampler.resample(None)
    except (FFmpegError, ValueError):
        raise AudioRefused("broken") from None


def plain(frame: AudioFrame, plane: int = 0) -> memoryview:
    """Return the bytes of a frame's plane without its padding."""
    channels = 1 if frame.format.is_planar else frame.layout.nb_channels
    return memoryview(frame.planes[plane])[: frame.samples * channels * SAMPLE_BYTES]


def write_wav(path: Path, *, channels: int, rate: int) -> wave.Wave_write:
    """Open a WAV file for samples of 16 bits."""
    file = wave.open(str(path), "wb")  # noqa: SIM115 - the caller closes it, which writes the header
    file.setnchannels(channels)
    file.setsampwidth(SAMPLE_BYTES)
    file.setframerate(rate)
    return file
