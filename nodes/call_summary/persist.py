"""Step 5, the last: the summary is stored with its call."""

from typing import Any

from langgraph.types import StreamWriter

from nodes.call_summary.events import progress
from nodes.call_summary.records import CallRecords, InMemoryCallRecords
from nodes.call_summary.state import SummaryState
from nodes.common.resources import resources


async def persist(state: SummaryState, *, writer: StreamWriter) -> dict[str, Any]:
    """Store the summary and what it took (C020); a repetition stores the same again.

    Raises:
        NotFound: the call was deleted in the meantime.
    """
    records = resources().repository(CallRecords, InMemoryCallRecords)
    await records.save_summary(state["record"], state["summary"], state["total_tokens"])
    progress(writer, "persist", state["steps"], state["steps"])
    return {}
