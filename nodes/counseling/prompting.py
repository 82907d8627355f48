"""What the models are asked: role and rules in the system message, what was said and written as data (X029)."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from nodes.common.prompts import as_data, load
from nodes.counseling.records import NOTHING, SLOTS, Homework, Memory
from nodes.counseling.state import FinalizeState

_PACKAGE: Final = "nodes.counseling"
_SYSTEM: Final = load(_PACKAGE, "system")
_DIARY: Final = load(_PACKAGE, "diary")
_ACTIVITY: Final = load(_PACKAGE, "activity")
_MEMORY: Final = load(_PACKAGE, "memory")
_REPLY_SYSTEM: Final = load(_PACKAGE, "reply_system")
_REPLY: Final = load(_PACKAGE, "reply")
_STAY: Final = load(_PACKAGE, "stay")
DIARY_REPAIR: Final = load(_PACKAGE, "diary_repair")
ACTIVITY_REPAIR: Final = load(_PACKAGE, "activity_repair")
MEMORY_REPAIR: Final = load(_PACKAGE, "memory_repair")
FINGERPRINT: Final = sha256(
    "\0".join(
        prompt.text
        for prompt in (
            *(_SYSTEM, _DIARY, _ACTIVITY, _MEMORY, DIARY_REPAIR, ACTIVITY_REPAIR, MEMORY_REPAIR),
            *(_REPLY_SYSTEM, _REPLY, _STAY),
        )
    ).encode()
).hexdigest()[:8]
"""Of all prompts: figures of an evaluation are comparable where it is the same."""
# The tags that data stands in: no data may open or close one of them.
_TAGS: Final = ("transcript", "diary", "last_diary", "activity", "last_activity", "memory", "homework", "last_homework")
# Characters. What earlier sessions left was bounded when it was made; rows of other origins are bounded here.
_LONGEST_PIECE: Final = 6_000
_LONGEST_PERSONA: Final = 8_000
_MOST_HOMEWORK: Final = 5


def diary_question(state: FinalizeState) -> list[BaseMessage]:
    """Ask for the visitor's diary of the session (E020)."""
    prompt = _DIARY.render(
        last_activity=_data("last_activity", state["last_activity"]),
        memory=_data("memory", memory_text(state["previous"])),
        transcript=_data("transcript", state["transcript"]),
    )
    return [_system(state), HumanMessage(prompt)]


def activity_question(state: FinalizeState) -> list[BaseMessage]:
    """Ask for what the visitor lives through until the next session (E021)."""
    prompt = _ACTIVITY.render(
        last_activity=_data("last_activity", state["last_activity"]),
        memory=_data("memory", memory_text(state["previous"])),
        diary=_data("diary", bare(state["diary"])),
        homework=_data("homework", homework_text(state["homework"])),
    )
    return [_system(state), HumanMessage(prompt)]


def memory_question(state: FinalizeState) -> list[BaseMessage]:
    """Ask for the new memory, from diary, report and old memory (E022)."""
    prompt = _MEMORY.render(
        memory=_data("memory", memory_text(state["previous"])),
        diary=_data("diary", bare(state["diary"])),
        activity=_data("activity", json_text(state["activity"])),
    )
    return [_system(state), HumanMessage(prompt)]


def reply_data(
    memory: Memory, last_activity: str, homework: Sequence[Homework], session_number: int, transcript: str
) -> str:
    """Return what the visitor knows when it answers, with what was said so far."""
    return _REPLY.render(
        session_number=session_number,
        memory=_data("memory", memory_text(memory)),
        last_activity=_data("last_activity", last_activity),
        homework=_data("homework", homework_text(homework)),
        transcript=_data("transcript", transcript),
    )


def reply_question(persona: str, visitor_name: str, question: str) -> list[BaseMessage]:
    """Ask for the visitor's next words (G47)."""
    system = _REPLY_SYSTEM.render(persona=persona[:_LONGEST_PERSONA], name=visitor_name)
    return [SystemMessage(system), HumanMessage(question)]


def stay_in_role(asked: Sequence[BaseMessage], answer: str) -> list[BaseMessage]:
    """Ask again: the answer was empty, or not the visitor's."""
    given = [AIMessage(answer[:_LONGEST_PIECE])] if answer.strip() else []
    return [*asked, *given, HumanMessage(_STAY.text)]


def memory_text(memory: Memory) -> str:
    """Return a memory as five lines or more, each slot under its name."""
    texts: Mapping[str, Any] = memory
    return "\n".join(f"{slot}: {str(texts.get(slot) or NOTHING).strip()[:_LONGEST_PIECE]}" for slot in SLOTS)


def homework_text(homework: Sequence[Homework]) -> str:
    """Return a line for each piece of homework, the newest few; "无" where there is none."""
    titles = [" ".join(str(piece["title"]).split()) for piece in homework[-_MOST_HOMEWORK:] if piece.get("title")]
    return "\n".join(title[:_LONGEST_PIECE] for title in titles) or NOTHING


def json_text(value: Mapping[str, Any] | None) -> str:
    """Return an object as JSON; an empty text where there is none."""
    return orjson.dumps(value).decode() if value else ""


def bare(diary: str) -> str:
    """Return a diary without its tags."""
    return diary.strip().removeprefix("<diary>").removesuffix("</diary>").strip()


def _system(state: FinalizeState) -> SystemMessage:
    return SystemMessage(
        _SYSTEM.render(persona=state["persona"][:_LONGEST_PERSONA], name=state["visitor_name"] or "来访者")
    )


def _data(tag: str, text: str) -> str:
    # The transcript was bounded by tokens before.
    bounded = text if tag == "transcript" else text[:_LONGEST_PIECE]
    return as_data(tag, bounded or NOTHING, among=_TAGS)
