"""Cutting a piece out of a recording, exact to the sample (A029, G10). Blocking: see `tools.audio.worker`."""

import math
from collections.abc import Iterable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Final
from wave import Wave_write

from av.audio.frame import AudioFrame

from tools.audio.decoding import opened
from tools.audio.model import MOST_CUT_SECONDS, AudioRefused, Piece
from tools.audio.samples import SAMPLE_BYTES, Missed, located, plain, resampled, write_wav

_STEREO: Final = 2


def cut(path: Path, start: float, end: float, target: Path) -> Piece:
    """Write the recording from `start` to `end` seconds to `target`, as a WAV file of its own rate.

    One channel stays one; more than two are mixed down to two. The piece is exact to the sample for wav, flac, mp3,
    m4a, ogg, opus and webm, where the first sample of the recording is at zero.

    Raises:
        AudioRefused: the recording cannot be used, or the range is not within it; there is no file then.
    """
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end <= start + MOST_CUT_SECONDS):
        raise AudioRefused("range")
    try:
        return _cut(path, start, end, target, seek=True)
    except Missed:
        return _cut(path, start, end, target, seek=False)


def _cut(path: Path, start: float, end: float, target: Path, *, seek: bool) -> Piece:
    with opened(path) as recording:
        decoded = located(recording, start, seek=seek)
        position, first = next(decoded)
        rate, channels = first.sample_rate, min(first.layout.nb_channels, _STEREO)
        begin, stop = round(start * rate), round(end * rate)
        if position > begin:
            raise Missed
        layout = "stereo" if channels == _STEREO else "mono"
        pieces = resampled(chain([first], (frame for _, frame in decoded)), layout=layout)
        with closing(write_wav(target, channels=channels, rate=rate)) as file:
            written = _copy(pieces, file, begin - position, stop - position, channels * SAMPLE_BYTES)
    if not written or written < stop - begin:
        target.unlink()
        raise AudioRefused("range")
    return Piece(start=begin / rate, end=stop / rate, channels=channels, sample_rate=rate)


def _copy(pieces: Iterable[AudioFrame], file: Wave_write, begin: int, stop: int, width: int) -> int:
    """Write the samples from `begin` to `stop`, each of `width` bytes; return how many there were."""
    at = written = 0
    for piece in pieces:
        low, high = max(begin - at, 0), min(stop - at, piece.samples)
        if low < high:
            file.writeframesraw(plain(piece)[low * width : high * width])
            written += high - low
        at += piece.samples
        if at >= stop:
            break
    return written
