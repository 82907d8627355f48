"""Splitting a long recording into overlapping parts for transcription. Blocking: see `tools.audio.worker`."""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final
from wave import Wave_write

from tools.audio.decoding import opened
from tools.audio.samples import SAMPLE_BYTES, Missed, located, plain, resampled, write_wav

# Seven minutes at 16 kHz are 13.4 MB, 17.9 MB in base64: below the 20 MB of a request with the audio inline.
PART_SECONDS: Final = 420.0
OVERLAP_SECONDS: Final = 15.0
RATE: Final = 16_000


@dataclass(frozen=True)
class Part:
    """A stretch of a recording, in seconds from its beginning."""

    start: float
    end: float


def plan(duration: float, part: float = PART_SECONDS, overlap: float = OVERLAP_SECONDS) -> list[Part]:
    """Return equally long parts, none longer than `part` seconds, each beginning `overlap` before the last one ends.

    Raises:
        ValueError: the duration is not positive, or the overlap not smaller than half of a part.
    """
    if not (0 < duration < math.inf and 0 <= overlap < part / 2):
        raise ValueError("needs a positive duration, and an overlap smaller than half of a part")
    if duration <= part:
        return [Part(0.0, duration)]
    count = math.ceil((duration - overlap) / (part - overlap))
    step = (duration - overlap) / count
    starts = [number * step for number in range(count)]
    return [Part(start, min(start + step + overlap, duration)) for start in starts]


def write_parts(path: Path, parts: list[Part], folder: Path) -> list[Path]:
    """Write each part as a WAV file (one channel, 16 kHz, 16 bit) into `folder`, in one pass over the recording.

    What lies before the first part and after the last one is not decoded, where the container lets us seek.

    Raises:
        AudioRefused: the recording cannot be used.
    """
    try:
        return _write(path, parts, folder, seek=True)
    except Missed:
        return _write(path, parts, folder, seek=False)


def _write(path: Path, parts: list[Part], folder: Path, *, seek: bool) -> list[Path]:
    targets = [folder / f"part-{number:03}.wav" for number in range(len(parts))]
    begin, end = min(part.start for part in parts), round(max(part.end for part in parts) * RATE)
    with opened(path) as recording, ExitStack() as files:
        decoded = located(recording, begin, seek=seek)
        position, first = next(decoded)
        if position > round(begin * first.sample_rate):
            raise Missed
        windows = [
            _Window(files.enter_context(write_wav(target, channels=1, rate=RATE)), part)
            for target, part in zip(targets, parts, strict=True)
        ]
        at = round(position * RATE / first.sample_rate)
        for frame in resampled(chain([first], (frame for _, frame in decoded)), layout="mono", rate=RATE):
            block = plain(frame)
            for window in windows:
                window.take(block, at)
            at += frame.samples
            if at >= end:
                break
    return targets


class _Window:
    def __init__(self, file: Wave_write, part: Part) -> None:
        self._file = file
        self._start, self._end = round(part.start * RATE), round(part.end * RATE)

    def take(self, block: memoryview, at: int) -> None:
        """Write what of a block, whose first sample is the recording's number `at`, belongs to this part."""
        low, high = max(self._start - at, 0), min(self._end - at, len(block) // SAMPLE_BYTES)
        if low < high:
            self._file.writeframesraw(block[low * SAMPLE_BYTES : high * SAMPLE_BYTES])
