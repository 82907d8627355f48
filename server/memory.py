"""The garbage collector, set for a process that holds much for long and makes many short-lived objects."""

import gc
from typing import Final

# Runs in flight are thousands of objects: with Python's own 700 a collection looked at them again and again.
_YOUNG: Final = 50_000


def begin() -> None:
    """Look seldom at what the start makes: nearly all of it stays."""
    gc.set_threshold(_YOUNG, 20, 20)


def settle() -> None:
    """Leave what the start has loaded alone for good, and look at what is new less often."""
    # A collection before it would take a sixth of a second, and find a few thousand objects in a third of a million.
    gc.freeze()
    begin()


def leave() -> None:
    """Let the process end without a last look at all that it holds: that takes longer than most commands."""
    gc.freeze()
