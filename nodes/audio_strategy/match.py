"""Step 2: which skills the conversation gets (G03)."""

import asyncio
from typing import Any

from langgraph.types import Send, StreamWriter

from core.errors import Conflict
from nodes.audio_strategy.lines import lines_of
from nodes.audio_strategy.progress import finished, records, steps_with
from nodes.audio_strategy.records import AnalysedSession, DirectoryShelf, SkillShelf
from nodes.audio_strategy.state import SkillTask, StrategyState
from nodes.common.resources import resources
from skills.document import Skill
from skills.match import match as matching
from skills.scenes import Verdict


def shelf() -> SkillShelf:
    """Return what is bound for this run, or the skills that come with Colloquy."""
    return resources().repository(SkillShelf, DirectoryShelf)


async def match(state: StrategyState, *, writer: StreamWriter) -> dict[str, Any]:
    """Choose up to three skills, by priority.

    Raises:
        Conflict: no skill can be used, not even the fallback (NO_SKILL). A resumed run looks again.
    """
    session = await records().analysed(state["session_id"])
    skills = await shelf().skills()
    verdict = Verdict(state["scene_category"], state["scene_confidence"])
    chosen = await asyncio.to_thread(_matching, skills, verdict, session)
    if not chosen:
        raise Conflict("没有可用的技能，请联系管理员启用", code="NO_SKILL")
    steps = steps_with(len(chosen))
    await finished(writer, state["session_id"], "match", steps, skills=chosen)
    return {"chosen": chosen, "steps": steps}


def to_skills(state: StrategyState) -> list[Send]:
    """Send each skill to a task of its own, side by side."""
    return [Send("apply_skill", task_of(state, skill)) for skill in state["chosen"]]


def task_of(state: StrategyState, skill_id: str) -> SkillTask:
    """Return what the task for one of the chosen skills is given."""
    return SkillTask(
        session_id=state["session_id"],
        strategy_id=state["strategy_id"],
        skill_id=skill_id,
        scene_category=state["scene_category"],
        scene_confidence=state["scene_confidence"],
        alone=len(state["chosen"]) == 1,
        steps=state["steps"],
    )


def _matching(skills: list[Skill], verdict: Verdict, session: AnalysedSession) -> list[str]:
    return [skill.id for skill in matching(skills, verdict, "\n".join(lines_of(session)))]
