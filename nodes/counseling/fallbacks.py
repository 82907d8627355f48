"""What is stored when no attempt was valid (G51, E024), slot by slot for the memory (W30)."""

from collections.abc import Sequence
from typing import Any

import structlog

from nodes.common.generation import Generated
from nodes.counseling.records import NOTHING, SLOTS, Memory, Slot, memory_from
from nodes.counseling.state import FinalizeState, Stage
from nodes.counseling.tags import slots_in

log = structlog.get_logger(__name__)


def diary(state: FinalizeState) -> str:
    """Return the diary of an earlier finalize; else one of a day of which nothing is known."""
    return state["left"]["diary"] if state["left"] else f"<diary>{NOTHING}</diary>"


def activity(state: FinalizeState) -> dict[str, Any]:
    """Return the report of an earlier finalize; else one of a week of which nothing is known."""
    return state["left"]["activity"] if state["left"] else {"summary": NOTHING}


def memory(state: FinalizeState, invalid: Sequence[str]) -> tuple[Memory, list[Slot]]:
    """Return a memory from what invalid answers did contain, the newest first; else what was there; else "无".

    Returns:
        The memory, and the slots that no answer filled.
    """
    found: dict[Slot, str] = {}
    for answer in invalid:
        found |= slots_in(answer)
    before = state["left"]["ltm"] if state["left"] else state["previous"]
    kept = [slot for slot in SLOTS if slot not in found]
    return memory_from({slot: found.get(slot) or before[slot] for slot in SLOTS}), kept


def noted(state: FinalizeState, stage: Stage, generated: Generated[Any], slots: Sequence[Slot] = ()) -> dict[str, Any]:
    """Return the attempts and fallbacks of the run with this stage's; a fallback is logged for operators (G68).

    The log names the session, never what was said in it.
    """
    update: dict[str, Any] = {"attempts": {**state["attempts"], stage: generated.attempts}}
    if generated.value is not None:
        return update
    names = [stage, *(f"{stage}.{slot}" for slot in slots)]
    log.error(
        "finalize_fallback",
        session_id=state["session"],
        stage=stage,
        fallbacks=names,
        attempts=generated.attempts,
        failure=generated.failure,
    )
    return {**update, "fallbacks": [*state["fallbacks"], *names]}
