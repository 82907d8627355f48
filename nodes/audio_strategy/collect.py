"""Step 4: what came of the skills, and what follows from it."""

from typing import Any, Literal

from langgraph.types import Send, StreamWriter

from nodes.audio_strategy.apply_skill import apply_skill
from nodes.audio_strategy.match import task_of
from nodes.audio_strategy.merge import merge
from nodes.audio_strategy.progress import finished
from nodes.audio_strategy.state import Draft, StrategyState


def brought(state: StrategyState) -> dict[str, list[Draft]]:
    """Return the drafts of the skills that brought any, by priority (A055)."""
    found = {skill: state["outcomes"][skill]["drafts"] for skill in state["chosen"] if skill in state["outcomes"]}
    return {skill: drafts for skill, drafts in found.items() if drafts}


async def collect(state: StrategyState, *, writer: StreamWriter) -> dict[str, Any]:
    """Note which skills enter the strategy; where it is one alone, its advice is the strategy."""
    drafts = brought(state)
    if len(drafts) != 1:
        return {"applied_skills": list(drafts), "drafts": []}
    # There is nothing to fuse, and progress must not wait for it.
    await finished(writer, state["session_id"], "fuse", state["steps"], fallback=False)
    return {"applied_skills": list(drafts), "drafts": merge(drafts)}


def after_collect(state: StrategyState) -> Literal["again", "visuals", "fuse"]:
    """Fuse what several skills brought; where none brought anything, one is tried again."""
    match len(state["applied_skills"]):
        case 0:
            return "again"
        case 1:
            return "visuals"
    return "fuse"


async def again(state: StrategyState, *, writer: StreamWriter) -> dict[str, Any]:
    """Try the first skill once more, after all have failed.

    Skills that run side by side cannot know that all of them fail, so none of them ends the run. This does, and is
    where a resumed run asks again.

    Raises:
        ColloquyError: it failed once more.
    """
    return await apply_skill({**task_of(state, state["chosen"][0]), "alone": True}, writer=writer)


def after_again(state: StrategyState) -> list[Send] | Literal["collect"]:
    """Try the others again too: what was wrong with the first is over."""
    return [Send("apply_skill", task_of(state, skill)) for skill in state["chosen"][1:]] or "collect"
