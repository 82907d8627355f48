"""The messages that the steps send: one system message for all, the call as delimited data (W21)."""

from collections.abc import Sequence
from typing import Final

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage

from nodes.call_summary.state import Part, State
from nodes.common.prompts import as_data, load

_SYSTEM: Final = load(__file__, "system").template
_SUMMARIZE: Final = load(__file__, "summarize")
_PART: Final = load(__file__, "summarize_part")
_JOIN: Final = load(__file__, "join")
_REPAIR: Final = load(__file__, "repair")


def part_messages(part: Part) -> list[AnyMessage]:
    """Ask for notes on one part of a long call."""
    transcript = as_data("transcript", part["text"])
    return _ask(_PART.substitute(number=part["number"], count=part["count"], transcript=transcript))


def summary_messages(state: State) -> list[AnyMessage]:
    """Ask for the summary: of the transcript, or of the notes where there were several parts."""
    if len(state["parts"]) == 1:
        return _ask(_SUMMARIZE.substitute(transcript=as_data("transcript", state["parts"][0])))
    notes = [state["notes"][key] for key in sorted(state["notes"], key=int)]
    return _ask(_JOIN.substitute(notes=as_data("notes", "\n".join(notes))))


def repair_messages(state: State, missing: Sequence[str]) -> list[AnyMessage]:
    """Ask once more, with the answer and what it lacks."""
    [system, question] = summary_messages(state)
    repair = _REPAIR.substitute(missing="、".join(missing), answer=as_data("answer", state["draft"]))
    return [system, HumanMessage(f"{question.text}\n\n{repair}")]


def _ask(question: str) -> list[AnyMessage]:
    return [SystemMessage(_SYSTEM), HumanMessage(question)]
