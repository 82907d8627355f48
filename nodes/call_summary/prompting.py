"""The messages for the model: rules in the system message, the call's words as data in the user's (W21)."""

from collections.abc import Mapping, Sequence
from typing import Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from nodes.call_summary.state import Note
from nodes.common.prompts import as_data, load

_PACKAGE: Final = "nodes.call_summary"
_SYSTEM: Final = SystemMessage(load(_PACKAGE, "system").text)
_TRANSCRIPT: Final = load(_PACKAGE, "transcript")
_PART: Final = load(_PACKAGE, "part")
_NOTES: Final = load(_PACKAGE, "notes")
_REPAIR: Final = load(_PACKAGE, "repair")

_WRONG: Final = {
    "empty": "回答是空的",
    "refusal": "没有给出摘要",
    "request": "缺少 request（客户的主要诉求）",
    "key_information": "缺少 key_information（讨论的关键信息）",
    "outcome": "缺少 outcome（最终结果）",
    "tags": "标签重复，或标签里还有别的标签",
    "length": "太长",
}


def about_transcript(transcript: str) -> list[BaseMessage]:
    """Ask for the summary of a whole call."""
    return [_SYSTEM, HumanMessage(_TRANSCRIPT.render(transcript=as_data("transcript", transcript)))]


def about_part(text: str, number: int, parts: int) -> list[BaseMessage]:
    """Ask for notes about one part of a long call; `number` counts from 1."""
    prompt = _PART.render(number=number, parts=parts, transcript=as_data("transcript", text))
    return [_SYSTEM, HumanMessage(prompt)]


def about_notes(notes: Mapping[str, Note]) -> list[BaseMessage]:
    """Ask for one summary from the notes about all parts, in the call's order."""
    ordered = [notes[index]["text"].strip() for index in sorted(notes, key=int)]
    text = "\n\n".join(f"[{number}/{len(ordered)}]\n{note}" for number, note in enumerate(ordered, 1))
    return [_SYSTEM, HumanMessage(_NOTES.render(notes=as_data("notes", text)))]


def about_answer(asked: Sequence[BaseMessage], answer: str, wrong: Sequence[str]) -> list[BaseMessage]:
    """Ask again: the model sees what it was asked, what it answered, and what is wrong with that."""
    # Vendors refuse an empty turn of the model.
    given = [AIMessage(answer)] if answer.strip() else []
    return [*asked, *given, HumanMessage(_REPAIR.render(wrong="；".join(_WRONG[name] for name in wrong)))]
