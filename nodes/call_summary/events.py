"""What a client sees while a summary is made: progress, and the text as it is written.

`{"type": "progress", "step", "done", "total"}`, `{"type": "delta", "text"}`, `{"type": "reset"}`. The texts after the
last reset are the summary.
"""

from collections import OrderedDict
from typing import Final, Literal

from langgraph.runtime import Runtime
from langgraph.types import StreamWriter

from nodes.call_summary.prose import render
from nodes.call_summary.state import PartTask

Step = Literal["prepare", "summarize_part", "summarize", "repair", "persist"]

# Beyond this an answer is no summary any more; it is told when it is complete, not piece by piece.
_LONGEST_TOLD: Final = 4000
# Parts are noted side by side and do not know of each other. They share the checkpoint that they begin from, also when
# they are resumed; so by its id this process knows which of them are done. Bounded: some runs are never resumed.
_parts_done: OrderedDict[str, set[int]] = OrderedDict()
_MOST_RUNS: Final = 1000


def progress(write: StreamWriter, step: Step, done: int, total: int) -> None:
    """Tell that `done` of the run's `total` steps are done, the last of them `step`; or that a repair begins."""
    write({"type": "progress", "step": step, "done": done, "total": total})


def part_done(runtime: Runtime[None], task: PartTask) -> None:
    """Tell that one more part is noted, after `prepare`. Parts that were noted by another process are not counted."""
    step = runtime.execution_info.checkpoint_id if runtime.execution_info else ""
    done = _parts_done.setdefault(step, set())
    done.add(task["index"])
    if len(done) == task["parts"] or len(_parts_done) > _MOST_RUNS:
        _parts_done.pop(step if len(done) == task["parts"] else next(iter(_parts_done)))
    progress(runtime.stream_writer, "summarize_part", 1 + len(done), task["steps"])


class Telling:
    """Tells an answer while it comes.

    Args:
        told: what clients were told before, and will see replaced.
    """

    def __init__(self, write: StreamWriter, *, told: str = "") -> None:
        self._write = write
        self._raw = ""
        self._told = told

    def hear(self, piece: str) -> None:
        """Take a piece of the answer, and tell what is certain by now."""
        self._raw += piece
        if len(self._raw) <= _LONGEST_TOLD:
            self._tell(render(self._raw, complete=False))

    def begin_again(self) -> None:
        """Drop what was heard and told."""
        if self._told:
            self._write({"type": "reset"})
        self._raw = self._told = ""

    def end(self, raw: str) -> None:
        """Tell the rest of the complete answer, or all of it if another one was told."""
        summary = render(raw, complete=True)
        if not summary.startswith(self._told):
            self.begin_again()
        self._tell(summary)

    def _tell(self, text: str) -> None:
        if len(text) > len(self._told):
            self._write({"type": "delta", "text": text[len(self._told) :]})
            self._told = text
