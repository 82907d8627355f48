"""Step 5, the last: settle the summary, and store it with its call."""

from typing import Any

from nodes.call_summary.points import tell
from nodes.call_summary.records import CallRecords, InMemoryCallRecords
from nodes.call_summary.state import State
from nodes.call_summary.telling import progress, steps_of
from nodes.common.resources import resources


async def persist(state: State) -> dict[str, Any]:
    """Store the summary and what it cost, if it is a recorded call's; the same again changes nothing (C020).

    Raises:
        NotFound: the call was deleted in the meantime.
    """
    summary = tell(state["draft"])
    total_tokens = sum(state["tokens"].values())
    if target := state["target"]:
        records = resources().repository(CallRecords, InMemoryCallRecords)
        await records.save_summary(target, summary, total_tokens)
    progress("persist", steps_of(state["parts"]))
    return {"summary": summary, "total_tokens": total_tokens}
