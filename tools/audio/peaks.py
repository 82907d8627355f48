"""A recording's waveform for a player, in one pass and bounded memory. Blocking: see `tools.audio.worker`."""

from array import array
from itertools import pairwise
from pathlib import Path
from typing import Final

from tools.audio.decoding import frames, opened
from tools.audio.model import MOST_BUCKETS, Peaks
from tools.audio.samples import plain, resampled

# A picture of an hour needs no more, and minimum and maximum are taken in Python.
_RATE: Final = 8_000
# Fine stretches for each bucket: how exact the borders of buckets are.
_FINENESS: Final = 16
_LOUDEST: Final = 32_768


def peaks(path: Path, buckets: int) -> Peaks:
    """Return the lowest and highest samples of `buckets` equal stretches of the recording, over all its channels.

    A recording of fewer samples than that has fewer buckets. Stretches are equal to a sixteenth of themselves.

    Raises:
        AudioRefused: the recording cannot be used.
        ValueError: there are no or too many buckets.
    """
    if not 1 <= buckets <= MOST_BUCKETS:
        raise ValueError(f"buckets must be 1 to {MOST_BUCKETS}")
    fine = _Fine(2 * _FINENESS * buckets)
    with opened(path) as recording:
        samples = rate = 0
        for frame in resampled(frames(recording), planar=True, rate=_RATE):
            samples, rate = samples + frame.samples, frame.sample_rate
            fine.add([array("h", plain(frame, plane).tobytes()) for plane in range(len(frame.planes))])
    lowest, highest = fine.in_buckets(buckets)
    return Peaks(samples / rate, [_level(value) for value in lowest], [_level(value) for value in highest])


def _level(value: int) -> float:
    return round(value / _LOUDEST, 4)


class _Fine:
    """Minima and maxima of short stretches; when there are too many, each two neighbours become one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._length = 1
        self._filled = 0
        self._lowest: list[int] = []
        self._highest: list[int] = []

    def add(self, planes: list["array[int]"]) -> None:
        at, samples = 0, len(planes[0])
        while at < samples:
            if not self._filled:
                self._open()
            till = min(samples, at + self._length - self._filled)
            for plane in planes:
                stretch = plane[at:till]
                low, high = min(stretch), max(stretch)
                self._lowest[-1] = min(self._lowest[-1], low)
                self._highest[-1] = max(self._highest[-1], high)
            self._filled = (self._filled + till - at) % self._length
            at = till

    def _open(self) -> None:
        if len(self._lowest) >= self._most:
            self._length *= 2
            self._lowest = [min(self._lowest[at : at + 2]) for at in range(0, self._most, 2)]
            self._highest = [max(self._highest[at : at + 2]) for at in range(0, self._most, 2)]
        self._lowest.append(_LOUDEST)
        self._highest.append(-_LOUDEST)

    def in_buckets(self, buckets: int) -> tuple[list[int], list[int]]:
        found = len(self._lowest)
        buckets = min(buckets, found)
        borders = [number * found // buckets for number in range(buckets + 1)]
        return (
            [min(self._lowest[low:high]) for low, high in pairwise(borders)],
            [max(self._highest[low:high]) for low, high in pairwise(borders)],
        )
