"""Step 1: from a recorded call, or a given transcript, to parts that a model can take."""

from typing import Any

from core.errors import InvalidInput
from nodes.call_summary.records import CallRecords, InMemoryCallRecords, Message
from nodes.call_summary.state import State
from nodes.call_summary.telling import progress, steps_of
from nodes.call_summary.transcript import in_parts, transcript_digest
from nodes.common.resources import resources


async def prepare(state: State) -> dict[str, Any]:
    """Read the call, split it, and begin all of the run's own channels anew (X020).

    Raises:
        InvalidInput: both a record and messages are given, or neither, or nothing is said in them (NO_MESSAGES).
        NotFound: there is no such record of this owner.
    """
    record_id = state.get("record_id")
    messages = await _messages(record_id, state.get("messages"))
    parts = in_parts(messages)
    if not parts:
        raise InvalidInput("通话没有可以总结的内容", code="NO_MESSAGES")
    begun: dict[str, Any] = {
        # The input's channels are emptied, so that the thread's next run sees only its own.
        "record_id": None,
        "messages": None,
        "target": record_id,
        "digest": transcript_digest(messages),
        "parts": parts,
        "notes": None,
        "tokens": None,
        "draft": "",
        "missing": [],
    }
    progress("prepare", steps_of(parts))
    return begun


async def _messages(record_id: str | None, given: list[Message] | None) -> list[Message]:
    if (record_id is None) == (given is None):
        raise InvalidInput("record_id 和 messages 必须且只能提供一个")
    if record_id is None:
        return given or []
    return await resources().repository(CallRecords, InMemoryCallRecords).messages(record_id)
