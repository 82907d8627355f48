"""Recordings made by code: a quiet tone, as long or as large as is wanted."""

import math
import wave
from array import array
from pathlib import Path

from tests.kit import recordings

RATE = 16_000
_SECOND = array("h", (int(9000 * math.sin(math.tau * 220 * n / RATE)) for n in range(RATE))).tobytes()


def wav(path: Path, size: int) -> Path:
    """Write a WAV file of `size` bytes at most: one channel, 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for _ in range((size - 44) // len(_SECOND)):
            file.writeframesraw(_SECOND)
    return path


def mebibytes(path: Path) -> float:
    return path.stat().st_size / 2**20


def mp3(path: Path, minutes: int) -> Path:
    """Write an MP3 file as a telephone makes it: one channel, 44.1 kHz."""
    return recordings.write(path, "mp3", recordings.pulses(60.0 * minutes, 44_100))
