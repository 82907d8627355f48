"""Analyse a recording (A001, A022): probe, transcribe in parts, join, note long ones in pieces, review, store."""

from typing import Any, Final

from langgraph.graph import END, START, StateGraph

from nodes.audio_analysis.join import segments, to_pieces
from nodes.audio_analysis.probe import probe, to_parts
from nodes.audio_analysis.review import note, review
from nodes.audio_analysis.state import AnalysisInput, AnalysisOutput, AnalysisState, PartTask, PieceTask
from nodes.audio_analysis.store import store
from nodes.audio_analysis.transcribe import transcribe

# Seconds. Clients and attempts have limits of their own; this one ends a stream that trickles for ever. `transcribe`
# has one inside: its wait for a turn must not count.
_ASKING_TIMEOUT: Final = 420.0


def build() -> StateGraph[AnalysisState, Any, AnalysisInput, AnalysisOutput]:
    """Return the graph without a checkpointer: whoever runs it brings one (X014)."""
    builder = StateGraph(AnalysisState, input_schema=AnalysisInput, output_schema=AnalysisOutput)
    builder.add_node("probe", probe)
    builder.add_node("transcribe", transcribe, input_schema=PartTask)
    builder.add_node("segments", segments)
    builder.add_node("note", note, input_schema=PieceTask, timeout=_ASKING_TIMEOUT)
    builder.add_node("review", review, timeout=_ASKING_TIMEOUT)
    builder.add_node("store", store)
    builder.add_edge(START, "probe")
    builder.add_conditional_edges("probe", to_parts, ["transcribe", "segments"])
    builder.add_edge("transcribe", "segments")
    builder.add_conditional_edges("segments", to_pieces, ["note", "review"])
    builder.add_edge("note", "review")
    builder.add_edge("review", "store")
    builder.add_edge("store", END)
    return builder


graph = build().compile(name="audio_analysis")
