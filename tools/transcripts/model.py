"""A transcript's segments, its limits, and why one is refused (A024, X034)."""

from typing import Final, Literal

from typing_extensions import TypedDict

from core.errors import InvalidInput

Refusal = Literal["unsupported", "encoding", "too_large", "broken", "times", "empty", "outside"]

MOST_BYTES: Final = 5 * 1024 * 1024
MOST_SEGMENTS: Final = 20_000
MOST_TEXT: Final = 5_000
MOST_SPEAKER: Final = 60
# A day: a time beyond it is a mistake in the file.
MOST_SECONDS: Final = 86_400.0
UNKNOWN_SPEAKER: Final = "说话人"

_SENTENCES: Final[dict[Refusal, str]] = {
    "unsupported": "转写文件应为WebVTT、SRT或JSON格式",
    "encoding": "转写文件应为UTF-8编码",
    "too_large": f"转写文件不能超过{MOST_BYTES // 1024**2}MB、{MOST_SEGMENTS}段，每段不超过{MOST_TEXT}字",
    "broken": "转写文件的格式有误",
    "times": "转写文件的时间有误：每段应满足 0 ≤ start < end",
    "empty": "转写文件中没有文字",
    "outside": "转写文件的时间超出了录音的长度",
}


class Segment(TypedDict):
    """What one person said without a break; `start` and `end` in seconds from the recording's beginning."""

    speaker: str
    start: float
    end: float
    text: str


class TranscriptRefused(InvalidInput):
    """A transcript cannot be used; `reason` says why in one word, the message in a sentence for the client."""

    default_code = "TRANSCRIPT_INVALID"

    def __init__(self, reason: Refusal) -> None:
        super().__init__(_SENTENCES[reason])
        self.reason: Refusal = reason
