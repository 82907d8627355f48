"""What a client sees while the summary is made: progress, the text without its tags, and when it begins again."""

import re
from collections.abc import Sequence
from typing import Any, Final

from langgraph.config import get_stream_writer

from nodes.call_summary.points import ABSENT_AT_MOST, read, tell

_OPEN_TAG: Final = re.compile(r"<[^>]*\Z")
_MAYBE_FENCED: Final = ("<", "`")


def progress(step: str, total: int) -> None:
    """Say that one of `total` steps is done."""
    get_stream_writer()({"type": "progress", "step": step, "total": total})


def steps_of(parts: Sequence[str]) -> int:
    """Return how many steps the run takes: prepare, each part, summarize, persist."""
    return 3 + (len(parts) if len(parts) > 1 else 0)


class Telling:
    """Turns a model's tagged answer, as it comes, into `delta` events whose texts join to the summary."""

    def __init__(self) -> None:
        self._write: Any = get_stream_writer()
        self._heard = ""
        self._told = ""

    def replace(self, told: str) -> None:
        """Say that `told`, which an earlier step told, will be replaced."""
        self._told = told
        self.begin_again()

    def hear(self, piece: str) -> None:
        """Take a piece of the answer, and tell what is certain of it."""
        self._heard += piece
        self._tell_on(so_far(self._heard))

    def begin_again(self) -> None:
        """Drop what was heard; clients drop what they were told."""
        self._heard = ""
        if self._told:
            self._write({"type": "reset"})
            self._told = ""

    def end(self, summary: str) -> None:
        """Tell the rest of the summary; where it is not what was begun, all of it again."""
        if not summary.startswith(self._told):
            self.begin_again()
        self._tell_on(summary)

    def _tell_on(self, text: str) -> None:
        if text.startswith(self._told) and len(text) > len(self._told):
            self._write({"type": "delta", "text": text[len(self._told) :]})
            self._told = text


def so_far(heard: str) -> str:
    """Return what is certain of the prose that `heard` is the beginning of: nothing that may turn out a tag."""
    if not heard.lstrip() or (heard.lstrip()[0] in _MAYBE_FENCED and not read(heard)):
        return ""
    certain = _OPEN_TAG.sub("", heard)
    points = list(read(certain).values())
    if points and not certain.endswith(">") and len(points[-1]) <= ABSENT_AT_MOST:
        # It may yet become "not stated", which is left out.
        certain = certain[: certain.rindex("<")]
    text = tell(certain) if not points or read(certain) else ""
    # What was added to end an open sentence is not certain.
    return text if certain.endswith(">") else text.rstrip("。. ")
