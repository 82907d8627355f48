"""Why a workflow cannot be served: told at the start of a process, on the terminal of who starts it."""

import traceback
from pathlib import Path

# Where our own frames, and those of the import machinery, are: of no use to the graph's author.
_OURS = str(Path(__file__).parent.parent.parent)


class WorkflowError(Exception):
    """`langgraph.json`, or what it names, cannot be used."""


def author_trace(error: BaseException) -> str:
    """Return the traceback of an exception from the author's own code, from the first frame of theirs."""
    told = traceback.TracebackException.from_exception(error)
    frames = list(told.stack)
    hidden = 0
    while hidden < len(frames) and _is_ours(frames[hidden].filename):
        hidden += 1
    told.stack = traceback.StackSummary.from_list(frames[hidden:] or [])
    return "".join(told.format()).rstrip()


def _is_ours(filename: str) -> bool:
    return filename.startswith(("<frozen importlib", _OURS)) or "/importlib/" in filename
