"""An answer as clients see it while a model writes it: `{"type": "delta", "text"}` and `{"type": "reset"}`.

The texts after the last reset are the answer.
"""

from collections.abc import Callable
from typing import Final

from langgraph.types import StreamWriter

# Beyond this an answer is told when it is complete: rendering all of it for each piece would take too long.
_LONGEST_TOLD: Final = 4000


class Telling:
    """Tells an answer piece by piece.

    Args:
        write: the stream's writer.
        render: from what the model wrote, and whether that is all, to what is shown. What it returns for a beginning
            must be a beginning of what it returns for the whole.
    """

    def __init__(self, write: StreamWriter, render: Callable[[str, bool], str]) -> None:
        self._write = write
        self._render = render
        self._raw = ""
        self._told = ""

    def hear(self, piece: str) -> None:
        """Take a piece of the answer, and tell what is certain by now."""
        self._raw += piece
        if len(self._raw) <= _LONGEST_TOLD:
            self._tell(self._render(self._raw, False))  # noqa: FBT003 - a callback has no keywords

    def begin_again(self) -> None:
        """Drop what was heard and told."""
        if self._told:
            self._write({"type": "reset"})
        self._raw = self._told = ""

    def end(self, raw: str) -> str:
        """Tell the rest of the complete answer, or all of it if another one was told; return what is shown."""
        shown = self._render(raw, True)  # noqa: FBT003
        if not shown.startswith(self._told):
            self.begin_again()
        self._tell(shown)
        return shown

    def _tell(self, text: str) -> None:
        if len(text) > len(self._told):
            self._write({"type": "delta", "text": text[len(self._told) :]})
            self._told = text
