"""Step 1: what the turn is about, in bounds; all channels of the turn begin anew (X020)."""

from collections.abc import Sequence
from typing import Any, Final

from langgraph.types import StreamWriter

from core.errors import InvalidInput
from nodes.common.resources import resources
from nodes.meta_workflow.events import tell_phase
from nodes.meta_workflow.records import Documents, InMemoryDocuments
from nodes.meta_workflow.state import ContentSections, Memory, MetaInput, PastTurn, Phase, Turn

# Messages: twenty turns, each a question and its answer.
MOST_TURNS: Final = 40
MOST_SUGGESTIONS: Final = 5
LONGEST_MESSAGE: Final = 20_000
_MOST_TAGS: Final = 20
_LONGEST_TAG: Final = 40
_LONGEST_TURN: Final = 1200
_LONGEST_NAME: Final = 120
_LONGEST_CONTENT: Final = 2000


async def begin(state: MetaInput, *, writer: StreamWriter) -> dict[str, Any]:
    """Take the message and what belongs to it; look which documents the session has.

    Raises:
        InvalidInput: the message says nothing, or is longer than 20,000 characters.
    """
    message = _text(state.get("message")).strip()
    if not message or len(message) > LONGEST_MESSAGE:
        raise InvalidInput(f"message 须为 1 到 {LONGEST_MESSAGE} 个字符")
    session = _text(state.get("session_id"))
    # Told before anything slow: this is what a client sees first.
    tell_phase(writer, Phase(phase="planning", content="正在理解需求……"), 0)
    documents = resources().repository(Documents, InMemoryDocuments)
    turn = Turn(
        id=str(resources().ids.uuid()),
        session_id=session,
        message=message,
        tags=_tags(state.get("tags")),
        turns=_turns(state.get("turns")),
    )
    outline = await documents.outline(session) if session else []
    return {"turn": turn, "outline": outline, "memory": remembered(state.get("memory")), **_anew()}


def remembered(given: object) -> Memory:
    """Return a memory with all its keys, in bounds, whatever was stored."""
    held = given if isinstance(given, dict) else {}
    suggestions = held.get("suggestions")
    listed = suggestions if isinstance(suggestions, list) else [suggestions]
    return Memory(
        brand=_text(held.get("brand"))[:_LONGEST_NAME],
        product=_text(held.get("product"))[:_LONGEST_NAME],
        content=_text(held.get("content"))[:_LONGEST_CONTENT],
        suggestions=[text for item in listed if (text := _text(item)[:_LONGEST_TURN])][-MOST_SUGGESTIONS:],
    )


def _anew() -> dict[str, Any]:
    return {
        "thinking_process": None,
        "drafts": None,
        "intent": "free_discussion",
        "plan": {"goal": "", "brand": "", "product": "", "focus": {}, "sections": [], "queries": []},
        "passages": [],
        "analysis": "",
        "output": "",
        "revisions": 0,
        "evaluation": None,
        "narrative": None,
        "decision": "",
        "response": "",
        "content_sections": ContentSections(thinking_narrative="", output="", evaluation="", suggestion=""),
        "status": "running",
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _tags(given: object) -> list[str]:
    listed: Sequence[object] = given if isinstance(given, list) else []
    plain = (" ".join(_text(tag).split())[:_LONGEST_TAG] for tag in listed)
    return list(dict.fromkeys(tag for tag in plain if tag))[:_MOST_TAGS]


def _turns(given: object) -> list[PastTurn]:
    listed: Sequence[Any] = given if isinstance(given, list) else []
    said = [turn for turn in listed if isinstance(turn, dict) and turn.get("role") in ("user", "assistant")]
    return [PastTurn(role=turn["role"], content=_text(turn.get("content"))[:_LONGEST_TURN]) for turn in said][
        -MOST_TURNS:
    ]
