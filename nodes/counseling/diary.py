"""Step 2 of finalize: the visitor's diary of the session (E020)."""

from typing import Any

from nodes.common.generation import generate
from nodes.counseling import fallbacks
from nodes.counseling.prepare import counseling_records
from nodes.counseling.prompting import DIARY_REPAIR, diary_question
from nodes.counseling.state import FinalizeState
from nodes.counseling.tags import read_diary


async def diary(state: FinalizeState) -> dict[str, Any]:
    """Write the diary, or what stands for it, and store it."""
    generated = await generate("diary", diary_question(state), read_diary, repair=DIARY_REPAIR)
    text = generated.value or fallbacks.diary(state)
    await counseling_records().save_diary(state["session"], text)
    return {"diary": text, "step": "activity", **fallbacks.noted(state, "diary", generated)}
