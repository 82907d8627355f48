"""Why a workflow cannot be served: told at the start of a process, on the terminal of who starts it."""

import sysconfig
import traceback
from pathlib import Path

_OURS = f"{Path(__file__).parent.parent.parent}/"
_LIBRARY = f"{sysconfig.get_path('stdlib')}/"


class WorkflowError(Exception):
    """`langgraph.json`, or what it names, cannot be used."""


def author_trace(error: BaseException) -> str:
    """Return the traceback of an exception from the author's own code, from the first frame of theirs."""
    told = traceback.TracebackException.from_exception(error)
    frames = list(told.stack)
    hidden = 0
    while hidden < len(frames) and _is_before_theirs(frames[hidden].filename):
        hidden += 1
    told.stack = traceback.StackSummary.from_list(frames[hidden:])
    return "".join(told.format()).rstrip()


def _is_before_theirs(filename: str) -> bool:
    """Tell whether a frame is the server's, or the standard library's on the way to the author's code."""
    if filename.startswith(("<frozen importlib", _OURS)):
        return True
    return filename.startswith(_LIBRARY) and "site-packages" not in filename
