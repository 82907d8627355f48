"""Step 1: what kind of conversation it is (A026, G02); also a workflow of its own."""

import asyncio
from typing import Any, Final

from langgraph.types import StreamWriter

from core.errors import InvalidInput
from nodes.audio_strategy.lines import excerpt, lines_of
from nodes.audio_strategy.progress import finished, records, steps_with
from nodes.audio_strategy.prompting import about_scene
from nodes.audio_strategy.records import AnalysedSession
from nodes.audio_strategy.state import SceneInput, StrategyInput
from nodes.common.attempts import ask
from skills.scenes import verdict_from

# Estimated tokens: who they are and what they want is plain from a few minutes.
BUDGET: Final = 4000


async def classify(state: SceneInput) -> dict[str, Any]:
    """Return the scene and nothing else: nothing is written (A026).

    An answer that names no scene is other with 0.0; it is not asked for again, the fallback skill is for that.

    Raises:
        NotFound: there is no such session of this user.
        Conflict: its analysis is not completed (G08).
        ModelFailed: the model gave no answer.
    """
    if not state.get("session_id"):
        raise InvalidInput("session_id 不能为空")
    session = await records().analysed(state["session_id"])
    transcript = await asyncio.to_thread(_transcript, session)
    answer = await ask("scene", about_scene(session, transcript))
    verdict = verdict_from(answer.text)
    return {"scene_category": verdict.category, "scene_confidence": verdict.confidence}


async def scene(state: StrategyInput, *, writer: StreamWriter) -> dict[str, Any]:
    """Classify the conversation as the first step of a strategy."""
    update = await classify(state)
    await finished(writer, state["session_id"], "scene", steps_with(1), **update)
    return update


def _transcript(session: AnalysedSession) -> str:
    return excerpt(lines_of(session), BUDGET)
