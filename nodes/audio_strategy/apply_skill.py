"""Step 3: one skill's advice. Skills run side by side; one that fails does not take the others along (A050, A054)."""

import asyncio
import time
from typing import Any, Final

import structlog
from langgraph.types import StreamWriter

from core.errors import ColloquyError, Conflict, TimedOut
from nodes.audio_strategy.answers import SkillAnswer
from nodes.audio_strategy.lines import excerpt, lines_of, speakers
from nodes.audio_strategy.match import shelf
from nodes.audio_strategy.progress import finished, records
from nodes.audio_strategy.prompting import about_skill
from nodes.audio_strategy.quotes import Said
from nodes.audio_strategy.records import AnalysedSession, SkillExecution
from nodes.audio_strategy.state import Draft, Outcome, SkillTask
from nodes.common.structured import ask_for
from skills.catalog import wanted_references
from skills.document import Skill, SkillError

# Seconds for one skill, all attempts and the repair counted in.
SKILL_SECONDS: Final = 150.0
# Estimated tokens of the transcript: about three quarters of an hour of talk.
BUDGET: Final = 12_000

log = structlog.get_logger(__name__)


async def apply_skill(state: SkillTask, *, writer: StreamWriter) -> dict[str, Any]:
    """Ask for one skill's advice and note that it ran.

    Raises:
        ColloquyError: it failed and there is no other skill. It is raised here, where a resumed run asks again.
    """
    session = await records().analysed(state["session_id"])
    started = time.perf_counter()
    failure: ColloquyError | None = None
    drafts: list[Draft] = []
    try:
        async with asyncio.timeout(SKILL_SECONDS):
            drafts = await _drafts(state, session)
    except TimeoutError:
        failure = TimedOut("模型没有在规定时间内给出建议")
    except ColloquyError as error:
        failure = error
    await _note(state, failure, started)
    if failure is not None and state["alone"]:
        raise failure
    skill, failed = state["skill_id"], None if failure is None else failure.message
    await finished(
        writer,
        state["session_id"],
        "apply_skill",
        state["steps"],
        name=f"apply_skill:{skill}",
        skill=skill,
        failed=failure is not None,
    )
    return {"outcomes": {skill: Outcome(drafts=drafts, failed=failed)}}


async def _drafts(task: SkillTask, session: AnalysedSession) -> list[Draft]:
    skill = next((one for one in await shelf().skills() if one.id == task["skill_id"]), None)
    if skill is None:
        raise Conflict("技能已不存在", code="NO_SKILL")
    transcript, said = await asyncio.to_thread(_read, session)
    references = await _references(skill, transcript)
    question = about_skill(skill, references, task["scene_category"], session, transcript)
    answer = await ask_for("strategy", question, SkillAnswer)
    names = list(speakers(session).values())
    return [item.draft([skill.id], said, names) for item in answer.value.advices]


async def _references(skill: Skill, transcript: str) -> list[str]:
    """Read the references that the transcript asks for; one that is gone does no harm."""
    read = []
    for reference in wanted_references(skill, transcript):
        try:
            read.append(await shelf().reference(skill, reference))
        except SkillError as error:
            log.warning("skill_reference_missing", skill_id=skill.id, reference=reference, reason=str(error))
    return read


async def _note(task: SkillTask, failure: ColloquyError | None, started: float) -> None:
    if failure is not None:
        log.warning("skill_failed", skill_id=task["skill_id"], code=failure.code)
    execution = SkillExecution(
        skill_id=task["skill_id"],
        scene_category=task["scene_category"],
        confidence_score=task["scene_confidence"],
        execution_time_ms=round((time.perf_counter() - started) * 1000),
        success=failure is None,
        error_message=None if failure is None else failure.message,
    )
    await records().save_execution(task["session_id"], task["strategy_id"], execution)


def _read(session: AnalysedSession) -> tuple[str, Said]:
    return excerpt(lines_of(session), BUDGET), Said(session["dialogues"])
