"""An answer as clients see it while a model writes it: `{"type": "delta", "text"}` and `{"type": "reset"}`.

The texts after the last reset are the answer.
"""

from typing import Final, Protocol

from langgraph.types import StreamWriter

# Beyond this an answer is told when it is complete: rendering all of it for each piece would take too long.
_LONGEST_TOLD: Final = 4000


class Renderer(Protocol):
    """Makes what is shown of what a model wrote; of a beginning, a beginning of what is shown of the whole."""

    def __call__(self, raw: str, *, complete: bool) -> str:
        """Return what is shown; `complete` tells whether that is all that the model wrote."""


class Telling:
    """Tells an answer piece by piece.

    Args:
        write: the stream's writer.
        render: makes what is shown.
        told: what clients were told before, and will see replaced.
    """

    def __init__(self, write: StreamWriter, render: Renderer, *, told: str = "") -> None:
        self._write = write
        self._render = render
        self._raw = ""
        self._told = told

    def hear(self, piece: str) -> None:
        """Take a piece of the answer, and tell what is certain by now."""
        self._raw += piece
        if len(self._raw) <= _LONGEST_TOLD:
            self._tell(self._render(self._raw, complete=False))

    def begin_again(self) -> None:
        """Drop what was heard and told."""
        if self._told:
            self._write({"type": "reset"})
        self._raw = self._told = ""

    def end(self, raw: str) -> str:
        """Tell the rest of the complete answer, or all of it if another one was told; return what is shown."""
        shown = self._render(raw, complete=True)
        if not shown.startswith(self._told):
            self.begin_again()
        self._tell(shown)
        return shown

    def _tell(self, text: str) -> None:
        if len(text) > len(self._told):
            self._write({"type": "delta", "text": text[len(self._told) :]})
            self._told = text
