"""Step 3 of finalize: what the visitor lives through until the next session (E021)."""

from typing import Any

from nodes.common.generation import generate
from nodes.counseling import fallbacks
from nodes.counseling.prepare import counseling_records
from nodes.counseling.prompting import ACTIVITY_REPAIR, activity_question
from nodes.counseling.state import FinalizeState
from nodes.counseling.tags import read_activity


async def activity(state: FinalizeState) -> dict[str, Any]:
    """Write the report of the week, or what stands for it, and store it."""
    generated = await generate("activity", activity_question(state), read_activity, repair=ACTIVITY_REPAIR)
    report = generated.value or fallbacks.activity(state)
    await counseling_records().save_activity(state["session"], report)
    return {"activity": report, "step": "memory", **fallbacks.noted(state, "activity", generated)}
