"""Step 4 of finalize: the visitor's long-term memory, from diary, report and the memory before (E022, W30)."""

from functools import partial
from typing import Any

from nodes.common.generation import generate
from nodes.counseling import fallbacks
from nodes.counseling.prepare import counseling_records
from nodes.counseling.prompting import MEMORY_REPAIR, memory_question
from nodes.counseling.state import FinalizeState
from nodes.counseling.tags import read_memory


async def memory(state: FinalizeState) -> dict[str, Any]:
    """Write the new memory; without a valid answer, slot by slot what there is (G51); and store it."""
    read = partial(read_memory, previous=state["previous"])
    generated = await generate("ltm", memory_question(state), read, repair=MEMORY_REPAIR)
    slots, kept = (generated.value, []) if generated.value else fallbacks.memory(state, generated.invalid)
    await counseling_records().save_memory(state["session"], slots)
    return {"ltm": slots, "step": "finish", **fallbacks.noted(state, "ltm", generated, kept)}
