"""Step 1 of a reply: what the visitor knows, and what it was told."""

import asyncio
from typing import Any, Final

from langgraph.graph import END
from langgraph.types import StreamWriter

from core.errors import Conflict
from nodes.counseling.prepare import counseling_records
from nodes.counseling.prompting import json_text, reply_data
from nodes.counseling.records import SessionContext
from nodes.counseling.state import ReplyState
from nodes.counseling.transcript import bounded_transcript, transcript_lines

# Estimated tokens; a reply is wanted at once, and most of a session's weight is in its last turns.
_BUDGET: Final = 6_000


async def listen(state: ReplyState, *, writer: StreamWriter) -> dict[str, Any]:
    """Read the session, and begin the run's channels anew (X020).

    Where the visitor spoke last, its words are the answer: whoever asks twice hears the same, and nothing is appended.

    Raises:
        Conflict: the session is finalised (session_finalized).
        NotFound: there is no such session of this student.
    """
    session = str(state.get("session_id") or "")
    context = await counseling_records().context(session)
    if context.get("finalized"):
        raise Conflict("会话已结束", code="session_finalized")
    spoken = [line for line in context["chat"] if line["content"].strip()]
    reply = spoken[-1]["content"] if spoken and spoken[-1]["speaker"] == "ai" else ""
    if reply:
        writer({"type": "delta", "text": reply})
    return {
        "session": session,
        # Messages are only ever appended, so their number names what is answered.
        "key": f"reply:{len(context['chat'])}",
        "visitor_name": context["visitor_name"],
        "persona": context["persona"],
        "question": "" if reply else await asyncio.to_thread(_question, context),
        "reply": reply,
    }


def after_listen(state: ReplyState) -> str:
    """Let the visitor answer, unless it has."""
    return END if state["reply"] else "reply"


def _question(context: SessionContext) -> str:
    return reply_data(
        context["memory"],
        json_text(context["last_activity"]),
        context["homework"],
        context["session_number"],
        bounded_transcript(transcript_lines(context["chat"]), _BUDGET),
    )
