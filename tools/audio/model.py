"""What a recording is, how long and how large it may be, and why one is refused (G05, G10, X034)."""

from dataclasses import dataclass
from typing import Final, Literal

from core.errors import InvalidInput

Container = Literal["wav", "flac", "mp3", "mp4", "aac", "ogg", "webm"]
Refusal = Literal["unsupported", "no_audio", "broken", "empty", "changing", "too_long", "too_slow", "range", "failed"]

# A recording's own length, in decoded seconds; the header's word is not asked.
MOST_SECONDS: Final = 4 * 3600.0
# A piece for a profile, not half a recording.
MOST_CUT_SECONDS: Final = 600.0
MOST_CHANNELS: Final = 8
SLOWEST_RATE: Final = 4_000
FASTEST_RATE: Final = 192_000
MOST_BUCKETS: Final = 4_000

_SENTENCES: Final[dict[Refusal, str]] = {
    "unsupported": "这不是支持的音频文件（m4a、mp3、wav、aac、ogg、flac、webm、mp4）",
    "no_audio": "文件中没有音轨",
    "broken": "音频文件已损坏，无法解码",
    "empty": "音频文件中没有声音数据",
    "changing": "音频的采样率或声道在中途改变，无法处理",
    "too_long": f"录音不能超过{MOST_SECONDS / 3600:.0f}小时",
    "too_slow": "音频处理超时",
    "range": f"时间范围不在录音之内，或超过{MOST_CUT_SECONDS:.0f}秒",
    "failed": "音频文件无法处理",
}


class AudioRefused(InvalidInput):
    """A recording cannot be used; `reason` says why in one word, the message in a sentence for the client."""

    default_code = "AUDIO_INVALID"

    def __init__(self, reason: Refusal) -> None:
        super().__init__(_SENTENCES[reason])
        self.reason: Refusal = reason


@dataclass(frozen=True)
class AudioInfo:
    """What was found by decoding all of a recording.

    `duration` is the decoded length in seconds, `claimed` what the header says (None where it says nothing);
    `sample_rate` in Hz.
    """

    container: Container
    codec: str
    duration: float
    claimed: float | None
    channels: int
    sample_rate: int


@dataclass(frozen=True)
class Piece:
    """A WAV file (16 bit) that was cut out: from `start` to `end` seconds of the recording."""

    start: float
    end: float
    channels: int
    sample_rate: int


@dataclass(frozen=True)
class Peaks:
    """A waveform for a player: the lowest and highest sample (-1 to 1) of each of equally long stretches."""

    duration: float
    lowest: list[float]
    highest: list[float]
