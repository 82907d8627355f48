"""A turn goes to its session's records (G36)."""

from typing import Any, Final

from nodes.common.resources import resources
from nodes.meta_workflow.records import ChatRecords, InMemoryChatRecords
from nodes.meta_workflow.state import MetaState

_ANSWER: Final = ("response", "thinking_process", "content_sections", "intent", "status")


async def save(state: MetaState) -> None:
    """Store the turn's answer and the memory; a repetition stores the same again. Without a session nothing is."""
    turn = state["turn"]
    if not turn["session_id"]:
        return
    answer: dict[str, Any] = {name: state[name] for name in _ANSWER}
    records = resources().repository(ChatRecords, InMemoryChatRecords)
    await records.save_turn(
        turn["session_id"], turn["id"], message=turn["message"], answer=answer, memory=dict(state["memory"])
    )
