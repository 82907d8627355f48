"""Step 4: summary, risks, mood and who is who, from the words alone; a long conversation is noted in pieces first."""

from typing import Any

from langgraph.types import StreamWriter

from nodes.audio_analysis.join import dialogues_of
from nodes.audio_analysis.lines import as_lines
from nodes.audio_analysis.prompting import about_notes, about_piece, about_transcript
from nodes.audio_analysis.state import AnalysisState, PieceTask
from nodes.audio_analysis.steps import finished
from nodes.audio_analysis.verdict import Review
from nodes.common.structured import ask_for


async def note(state: PieceTask) -> dict[str, Any]:
    """Review one piece; finished notes are kept when another one fails (X021).

    Raises:
        ModelFailed: the model gave no usable answer.
    """
    found = await ask_for("review", about_piece(state["text"], state["index"] + 1, state["pieces"]), Review)
    return {"notes": {str(state["index"]): found.value.model_dump()}}


async def review(state: AnalysisState, *, writer: StreamWriter) -> dict[str, Any]:
    """Review the whole.

    Raises:
        ModelFailed: the model gave no usable answer.
        NotFound: the session was deleted in the meantime.
    """
    if state["notes"]:
        question = about_notes(state["notes"])
    else:
        question = about_transcript("\n".join(as_lines(await dialogues_of(state))))
    found = await ask_for("review", question, Review)
    await finished(writer, state["session_id"], "review", state["steps"])
    return {"reviewed": found.value.model_dump(), "summary": found.value.summary, "notes": None}
