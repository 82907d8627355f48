"""What a client sees while a summary is made, beside its text: `{"type": "progress", "step", "done", "total"}`."""

from collections import OrderedDict
from typing import Final, Literal

from langgraph.runtime import Runtime
from langgraph.types import StreamWriter

from nodes.call_summary.state import PartTask

Step = Literal["prepare", "summarize_part", "summarize", "repair", "persist"]

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
