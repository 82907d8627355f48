"""Step 5 of finalize, the last: the homework is stored, and that the session is finalised (E023, G49)."""

from typing import Any

from nodes.counseling.prepare import counseling_records
from nodes.counseling.state import FinalizeState


async def finish(state: FinalizeState) -> dict[str, Any]:
    """Store the homework and the end of the session, once."""
    await counseling_records().finish(state["session"], state["homework"], state["fallbacks"])
    # A run that only had this left to do gives an output where a key of it is written.
    return {"step": "done", "fallbacks": state["fallbacks"]}
