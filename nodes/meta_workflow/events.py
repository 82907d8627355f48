"""What a client sees while a turn runs.

`{"type": "phase", "phase", "content", "index"}`: item `index` of the thinking process as it is by now; it grows, and
the last one is what the answer holds. `{"type": "delta", "section", "text"}` and `{"type": "reset", "section"}`: the
text while it is written. Of each section the deltas after its last reset are its text, and the sections in the order
of their ids, an empty line between them, are the output.
"""

from collections.abc import Sequence
from typing import Final

from langgraph.types import StreamWriter

from nodes.meta_workflow.prose import clean, without_title
from nodes.meta_workflow.state import Phase

# A growing phase is told again when it has grown by this many characters: what is told is told whole.
_GROWN: Final = 24
# Beyond this an answer is no section any more; its end is told when it is known.
_LONGEST_TOLD: Final = 4000


def tell_phase(write: StreamWriter, item: Phase, index: int) -> list[Phase]:
    """Tell an item of the thinking process, and return it as an update of that channel."""
    write({"type": "phase", **item, "index": index})
    return [item]


class GrowingPhase:
    """Tells a phase while its text comes."""

    def __init__(self, write: StreamWriter, phase: str, index: int) -> None:
        self._write = write
        self._phase = phase
        self._index = index
        self._raw = ""
        self._told = 0

    def hear(self, piece: str) -> None:
        """Take a piece of the text; tell it when there is enough of it."""
        self._raw += piece
        text = clean(self._raw, complete=False) if len(self._raw) <= _LONGEST_TOLD else ""
        if len(text) >= self._told + _GROWN:
            self._told = len(text)
            tell_phase(self._write, Phase(phase=self._phase, content=text), self._index)

    def begin_again(self) -> None:
        """Drop what was heard; the next item told replaces the former."""
        self._raw, self._told = "", 0


class Telling:
    """Tells a section while it is written.

    Args:
        title: of the section; its heading stands before the model's text, and is not told twice.
        drop: sections that were told and are replaced by this one.
    """

    def __init__(self, write: StreamWriter, section: str, *, title: str = "", drop: Sequence[str] = ()) -> None:
        self._write = write
        self._section = section
        self._title = title
        self._opening = f"## {title}\n\n" if title else ""
        self._raw = self._told = ""
        for name in drop:
            write({"type": "reset", "section": name})

    def hear(self, piece: str) -> None:
        """Take a piece of the text, and tell what is certain by now."""
        self._raw += piece
        if len(self._raw) <= _LONGEST_TOLD and (text := self.text_of(self._raw, complete=False)):
            self._tell(self._opening + text)

    def text_of(self, raw: str, *, complete: bool = True) -> str:
        """Return the section's text without its heading, as far as it is certain."""
        return without_title(clean(raw, complete=complete), self._title, complete=complete)

    def begin_again(self) -> None:
        """Drop what was heard and told."""
        if self._told:
            self._write({"type": "reset", "section": self._section})
        self._raw = self._told = ""

    def end(self, text: str) -> str:
        """Tell the rest of the final text, or all of it if another one was told; return it with its heading."""
        whole = self._opening + text
        if not whole.startswith(self._told):
            self.begin_again()
        self._tell(whole)
        return whole

    def _tell(self, text: str) -> None:
        if len(text) > len(self._told):
            self._write({"type": "delta", "section": self._section, "text": text[len(self._told) :]})
            self._told = text
