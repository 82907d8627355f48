"""Step 1 of finalize: what the session holds; a finalised one is answered from the record (G49)."""

import asyncio
from typing import Any, Final

from core.errors import InvalidInput
from nodes.common.resources import resources
from nodes.counseling.prompting import json_text
from nodes.counseling.records import (
    SLOTS,
    CounselingRecords,
    Finalized,
    Homework,
    InMemoryCounselingRecords,
    Memory,
    memory_from,
    no_memory,
)
from nodes.counseling.state import FinalizeState, Step
from nodes.counseling.transcript import bounded_transcript, digest, transcript_lines

# Characters, beyond what the endpoint lets through.
_LONGEST_ASSIGNMENT: Final = 4_000


async def prepare(state: FinalizeState) -> dict[str, Any]:
    """Read the session and begin all of the run's channels anew (X020).

    Where an earlier run on this thread did not come to its end and nothing was said since, its finished stages stay,
    and this run goes on after them (G50).

    Raises:
        InvalidInput: nobody said anything (empty_chat_history).
        NotFound: there is no such session of this student.
    """
    session = str(state.get("session_id") or "")
    context = await counseling_records().context(session)
    if finalized := context.get("finalized"):
        return {**_begun(session), **_stored(finalized)}
    if not any(line["content"].strip() for line in context["chat"]):
        raise InvalidInput("会话没有任何消息", code="empty_chat_history")
    said, transcript = await asyncio.to_thread(lambda: (digest(context["chat"]), _transcript(context["chat"])))
    read = {
        "digest": said,
        "transcript": transcript,
        "visitor_name": context["visitor_name"],
        "persona": context["persona"],
        "last_activity": json_text(context["last_activity"]),
    }
    homework = homework_of(state.get("assignment"))
    if _unfinished(state, session, said):
        return {**read, "homework": homework or state["homework"]}
    begun = {**_begun(session), **read, "homework": homework, "previous": _complete(context["memory"])}
    remake = context.get("remake")
    return {**begun, **_kept(remake)} if remake else begun


def after_prepare(state: FinalizeState) -> str:
    """Go to the first step that is not done."""
    return state["step"]


def counseling_records() -> CounselingRecords:
    """Return where the sessions are."""
    return resources().repository(CounselingRecords, InMemoryCounselingRecords)


def homework_of(assignment: object) -> list[Homework]:
    """Return what the visitor is to do: nothing when the assignment is blank (G52)."""
    title = assignment.strip() if isinstance(assignment, str) else ""
    return [Homework(title=title[:_LONGEST_ASSIGNMENT], status="assigned")] if title else []


def _begun(session: str) -> dict[str, Any]:
    step: Step = "diary"
    return {
        "session": session,
        "step": step,
        "digest": "",
        "transcript": "",
        "visitor_name": "",
        "persona": "",
        "previous": no_memory(),
        "last_activity": "",
        "homework": [],
        "left": None,
        "diary": "",
        "activity": {},
        "ltm": no_memory(),
        "fallbacks": [],
        "attempts": {"diary": 0, "activity": 0, "ltm": 0},
    }


def _stored(finalized: Finalized) -> dict[str, Any]:
    return {**finalized, "step": "done"}


def _kept(left: Finalized) -> dict[str, Any]:
    """Return what of an earlier finalize stays: all before its first fallback; everything after was made from that."""
    kept: dict[str, Any] = {"left": left}
    if not left["fallbacks"] or "diary" in left["fallbacks"]:
        return kept
    if "activity" in left["fallbacks"]:
        return {**kept, "diary": left["diary"], "step": "activity"}
    return {**kept, "diary": left["diary"], "activity": left["activity"], "step": "memory"}


def _unfinished(state: FinalizeState, session: str, said: str) -> bool:
    same = state.get("session") == session and state.get("digest") == said
    return same and state.get("step") in {"activity", "memory", "finish"}


def _complete(memory: Memory) -> Memory:
    held: dict[str, Any] = dict(memory)
    return memory_from({slot: str(held.get(slot) or "").strip() for slot in SLOTS})


def _transcript(chat: Any) -> str:
    return bounded_transcript(transcript_lines(chat))
