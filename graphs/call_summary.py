"""Summarise a call (C017): prepare, note long calls in parts, summarize, check, repair once, persist."""

from typing import Any, Final

from langgraph.graph import END, START, StateGraph

from nodes.call_summary.check import after_check, check
from nodes.call_summary.persist import persist
from nodes.call_summary.prepare import prepare
from nodes.call_summary.repair import repair
from nodes.call_summary.state import PartTask, SummaryInput, SummaryOutput, SummaryState
from nodes.call_summary.summarize import summarize
from nodes.call_summary.summarize_part import summarize_part, to_parts

# Seconds. Clients and attempts have limits of their own; this one ends a stream that trickles for ever.
_ASKING_TIMEOUT: Final = 180.0


def build() -> StateGraph[SummaryState, Any, SummaryInput, SummaryOutput]:
    """Return the graph without a checkpointer: whoever runs it brings one (X014)."""
    builder = StateGraph(SummaryState, input_schema=SummaryInput, output_schema=SummaryOutput)
    builder.add_node("prepare", prepare)
    builder.add_node("summarize_part", summarize_part, input_schema=PartTask, timeout=_ASKING_TIMEOUT)
    builder.add_node("summarize", summarize, timeout=_ASKING_TIMEOUT)
    builder.add_node("check", check)
    builder.add_node("repair", repair, timeout=_ASKING_TIMEOUT)
    builder.add_node("persist", persist)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", to_parts, ["summarize_part", "summarize"])
    builder.add_edge("summarize_part", "summarize")
    builder.add_edge("summarize", "check")
    builder.add_conditional_edges("check", after_check, ["repair", "persist", END])
    builder.add_edge("repair", "check")
    builder.add_edge("persist", END)
    return builder


graph = build().compile(name="call_summary")
