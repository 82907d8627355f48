"""Tell what kind of conversation a recording is (A026): the first step of a strategy alone, nothing is stored."""

from typing import Any, Final

from langgraph.graph import END, START, StateGraph

from nodes.audio_strategy.scene import classify
from nodes.audio_strategy.state import SceneInput, SceneOutput, SceneState

# Seconds. Attempts have limits of their own; this one ends what trickles for ever.
_ASKING_TIMEOUT: Final = 120.0


def build() -> StateGraph[SceneState, Any, SceneInput, SceneOutput]:
    """Return the graph without a checkpointer: whoever runs it brings one (X014)."""
    builder = StateGraph(SceneState, input_schema=SceneInput, output_schema=SceneOutput)
    builder.add_node("scene", classify, input_schema=SceneInput, timeout=_ASKING_TIMEOUT)
    builder.add_edge(START, "scene")
    builder.add_edge("scene", END)
    return builder


graph = build().compile(name="audio_scene")
