"""Finalise a counseling session (E017): prepare, diary, activity, memory, finish; each stage stored as it is done."""

from collections.abc import Hashable
from typing import Any, Final

from langgraph.graph import END, START, StateGraph

from nodes.counseling.activity import activity
from nodes.counseling.diary import diary
from nodes.counseling.finish import finish
from nodes.counseling.memory import memory
from nodes.counseling.prepare import after_prepare, prepare
from nodes.counseling.state import FinalizeInput, FinalizeOutput, FinalizeState

_STEPS: Final[dict[Hashable, str]] = {
    "diary": "diary",
    "activity": "activity",
    "memory": "memory",
    "finish": "finish",
    "done": END,
}


def build() -> StateGraph[FinalizeState, Any, FinalizeInput, FinalizeOutput]:
    """Return the graph without a checkpointer: whoever runs it brings one (X014).

    The stages limit their model calls themselves, and end in a fallback then; a limit on the node would end the run.
    """
    builder = StateGraph(FinalizeState, input_schema=FinalizeInput, output_schema=FinalizeOutput)
    builder.add_node("prepare", prepare)
    builder.add_node("diary", diary)
    builder.add_node("activity", activity)
    builder.add_node("memory", memory)
    builder.add_node("finish", finish)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", after_prepare, _STEPS)
    builder.add_edge("diary", "activity")
    builder.add_edge("activity", "memory")
    builder.add_edge("memory", "finish")
    builder.add_edge("finish", END)
    return builder


graph = build().compile(name="counseling_finalize")
