"""Step 1: from a stored call, or a transcript that is sent along, to parts that a model can take."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from langgraph.types import StreamWriter
from pydantic import TypeAdapter, ValidationError

from core.errors import InvalidInput
from nodes.call_summary.events import progress
from nodes.call_summary.records import CallRecords, InMemoryCallRecords, Message
from nodes.call_summary.state import SummaryInput
from nodes.call_summary.transcript import has_substance, split_transcript, transcript_digest, transcript_lines
from nodes.common.resources import resources

_MESSAGES: Final = TypeAdapter(list[Message])


async def prepare(state: SummaryInput, *, writer: StreamWriter) -> dict[str, Any]:
    """Read the call, split it, and begin all of the run's channels anew (X020).

    Raises:
        InvalidInput: nobody says anything in the call (NO_MESSAGES); a record and messages are both given, or the
            messages are none.
        NotFound: there is no such record of this owner.
    """
    record = state.get("record_id") or ""
    messages = await _messages(record, state.get("messages") or [])
    if not has_substance(messages):
        raise InvalidInput("通话没有可以总结的内容", code="NO_MESSAGES")
    # Two megabytes of talk take 0.1 to 0.3 s, in which the loop would serve nobody else.
    digest, parts = await asyncio.to_thread(_split, messages)
    steps = 2 + (len(parts) if len(parts) > 1 else 0) + bool(record)
    progress(writer, "prepare", 1, steps)
    return {
        "record": record,
        "digest": digest,
        "parts": parts,
        "steps": steps,
        "notes": None,
        "draft": "",
        "missing": [],
        "repaired": False,
        "summary": "",
        "total_tokens": 0,
        "covered": {},
    }


async def _messages(record: str, given: object) -> list[Message]:
    if record and given:
        raise InvalidInput("record_id 与 messages 只能提供一个")
    if record:
        return await resources().repository(CallRecords, InMemoryCallRecords).messages(record)
    try:
        return _MESSAGES.validate_python(given)
    except ValidationError:
        raise InvalidInput("messages 须为 {role, content} 的列表，role 为 assistant 或 user") from None


def _split(messages: Sequence[Message]) -> tuple[str, list[str]]:
    return transcript_digest(messages), split_transcript(transcript_lines(messages))
