"""How far a strategy is: for those who follow the run, and for the session's status (G06).

Events are `{"type": "step", "step", "total"}`, for a skill with `skill` and `failed`, for a picture with `image_index`
and `status`; a fusion that was made by rule has `fallback`.
"""

from typing import Any, Final, Literal

from langgraph.types import StreamWriter

from nodes.audio_strategy.records import InMemoryStrategyRecords, StrategyRecords
from nodes.common.resources import resources

Step = Literal["scene", "match", "apply_skill", "fuse", "store", "picture", "done"]
# Scene, match, fuse, store and done; each skill is one more. Pictures are not counted: they cannot fail a strategy.
_FIXED: Final = 5


def steps_with(skills: int) -> int:
    """Return how many steps a run with so many skills reports."""
    return _FIXED + max(skills, 1)


def records() -> StrategyRecords:
    """Return what is bound for this run, or recordings in this process."""
    return resources().repository(StrategyRecords, InMemoryStrategyRecords)


async def finished(
    write: StreamWriter, session_id: str, step: Step, steps: int, *, name: str | None = None, **told: Any
) -> None:
    """Tell that a step is done, under a `name` of its own where there are several of its kind."""
    await records().finished(session_id, name or step, steps)
    write({"type": "step", "step": step, "total": steps, **told})
