"""Call summary (X007): prepare → parts, side by side → summarize → check → one repair → persist."""

from typing import Any

from langgraph.graph import END, START, StateGraph

from nodes.call_summary.check import check, repair, to_repair
from nodes.call_summary.persist import persist
from nodes.call_summary.prepare import prepare
from nodes.call_summary.state import Input, Output, Part, State
from nodes.call_summary.summarize import summarize
from nodes.call_summary.summarize_part import summarize_part, to_parts


def build() -> StateGraph[State, Any, Input, Output]:
    """Return the graph, not compiled: whoever runs it decides on its checkpointer (X014)."""
    builder = StateGraph(State, input_schema=Input, output_schema=Output)
    builder.add_node("prepare", prepare)
    # It gets a Part, by Send, not the state.
    builder.add_node("summarize_part", summarize_part, input_schema=Part)
    builder.add_node("summarize", summarize)
    builder.add_node("check", check)
    builder.add_node("repair", repair)
    builder.add_node("persist", persist)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", to_parts, ["summarize_part", "summarize"])
    builder.add_edge("summarize_part", "summarize")
    builder.add_edge("summarize", "check")
    builder.add_conditional_edges("check", to_repair, ["repair", "persist"])
    builder.add_edge("repair", "persist")
    builder.add_edge("persist", END)
    return builder


graph = build().compile(name="call_summary")
