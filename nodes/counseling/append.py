"""Step 3 of a reply, the last: the visitor's words become a message of the session."""

from typing import Any

from nodes.counseling.prepare import counseling_records
from nodes.counseling.state import ReplyState


async def append(state: ReplyState) -> dict[str, Any]:
    """Append the answer; a repetition appends nothing."""
    await counseling_records().append_reply(state["session"], state["key"], state["reply"])
    # A run that only had this left to do gives an output where a key of it is written.
    return {"reply": state["reply"]}
