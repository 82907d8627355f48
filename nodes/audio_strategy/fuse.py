"""Step 5, for several skills: one strategy of all their advice, with attribution and without repetition (G03)."""

import asyncio
from typing import Any, Final

import structlog
from langgraph.types import StreamWriter

from core.errors import ModelFailed
from nodes.audio_strategy.answers import FusedAnswer
from nodes.audio_strategy.collect import brought
from nodes.audio_strategy.lines import speakers
from nodes.audio_strategy.merge import merge
from nodes.audio_strategy.progress import finished, records
from nodes.audio_strategy.prompting import about_fusion
from nodes.audio_strategy.quotes import Said
from nodes.audio_strategy.state import Draft, StrategyState
from nodes.common.structured import ask_for

FUSE_SECONDS: Final = 150.0

log = structlog.get_logger(__name__)


async def fuse(state: StrategyState, *, writer: StreamWriter) -> dict[str, Any]:
    """Have the skills' advice fused; where no answer can be used, it is merged by rule.

    The advice is paid for and good by itself: a fusion that fails must not lose it.
    """
    drafts = brought(state)
    try:
        async with asyncio.timeout(FUSE_SECONDS):
            fused = await _fused(state["session_id"], drafts)
    except (ModelFailed, TimeoutError) as error:
        log.warning("fusion_merged_by_rule", error=type(error).__name__)
        fused = None
    await finished(writer, state["session_id"], "fuse", state["steps"], fallback=fused is None)
    return {"drafts": merge(drafts) if fused is None else fused}


async def _fused(session_id: str, drafts: dict[str, list[Draft]]) -> list[Draft]:
    session = await records().analysed(session_id)
    answer = await ask_for("fuse", about_fusion(drafts), FusedAnswer, context={"skills": list(drafts)})
    said = await asyncio.to_thread(Said, session["dialogues"])
    names = list(speakers(session).values())
    return [item.draft(item.skills, said, names) for item in answer.value.advices]
