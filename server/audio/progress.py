"""How far a run of several steps is, how long it will still take, and why it failed, in words for people (G06)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_ALL: Final = 100
_LONGEST_REASON: Final = 200
# The engine's own: they say nothing to the one who waits.
_INTERNAL: Final = frozenset({"INTERNAL", "RECURSION_LIMIT", "EMPTY_INPUT", "NO_SUCH_CHECKPOINT"})
_SENTENCES: Final = {"WORKER_LOST": "处理多次中断，请重试"}


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps that are done, each with the second of its end, and how many there are in all (0: not known yet)."""

    done: Mapping[str, float]
    count: int

    @property
    def share(self) -> float:
        """The share of steps that are done, from 0 to 1."""
        return min(len(self.done) / self.count, 1.0) if self.count > 0 else 0.0

    def percent(self, *, completed: bool) -> int:
        """Return the progress as G06 wants it: 100 means that there is a result, and nothing else does."""
        return _ALL if completed else min(int(self.share * _ALL), _ALL - 1)


def remaining(steps: Steps, begun: float | None, now: float, usual: float | None = None) -> int | None:
    """Return how many seconds a run will still take; None where nothing is known.

    The steps that it has finished since it began tell its speed. A run that goes on after a failure began later than
    its first steps ended: those say nothing.

    Args:
        steps: what is done.
        begun: the second in which the run began; None before that.
        now: the present second, by the same clock.
        usual: how many seconds such a run takes in all, from earlier ones.
    """
    measured = [at for at in steps.done.values() if begun is not None and at >= begun]
    if begun is not None and measured and steps.count > 0:
        last = max(measured)
        each = (last - begun) / len(measured)
        left = each * max(steps.count - len(steps.done), 0) - (now - last)
    elif usual is not None:
        left = usual * (1 - steps.share) - (now - begun if begun is not None else 0)
    else:
        return None
    # It is not done: it takes another moment, whatever the measure says.
    return max(1, math.ceil(left))


def reason(status: int | None, code: str | None, message: str | None, *, began: bool = True) -> str:
    """Return why a run failed, in a sentence that is safe to show.

    Args:
        status: the HTTP status of its error; None for a run that was stopped.
        code: the error's code.
        message: the error's sentence.
        began: whether there was a run at all.
    """
    if not began:
        return "处理没有开始，请重试"
    if status is None:
        return "处理已被取消，可以重试"
    if (known := _SENTENCES.get(code or "")) is not None:
        return known
    if code in _INTERNAL or not message:
        return "处理失败，请稍后重试"
    return message[:_LONGEST_REASON]


def seconds(steps: Mapping[str, Any]) -> dict[str, float]:
    """Return the steps of a row, each with the second of its end."""
    return {str(name): float(at) for name, at in steps.items()}
