"""The visitor's answer (G47): listen, reply, append."""

from collections.abc import Hashable
from typing import Any, Final

from langgraph.graph import END, START, StateGraph

from nodes.counseling.append import append
from nodes.counseling.listen import after_listen, listen
from nodes.counseling.reply import reply
from nodes.counseling.state import ReplyInput, ReplyOutput, ReplyState

# Seconds. Attempts have limits of their own; this one ends a stream that trickles for ever.
_ASKING_TIMEOUT: Final = 120.0
_AFTER_LISTEN: Final[dict[Hashable, str]] = {"reply": "reply", END: END}


def build() -> StateGraph[ReplyState, Any, ReplyInput, ReplyOutput]:
    """Return the graph without a checkpointer: whoever runs it brings one (X014)."""
    builder = StateGraph(ReplyState, input_schema=ReplyInput, output_schema=ReplyOutput)
    builder.add_node("listen", listen)
    builder.add_node("reply", reply, timeout=_ASKING_TIMEOUT)
    builder.add_node("append", append)
    builder.add_edge(START, "listen")
    builder.add_conditional_edges("listen", after_listen, _AFTER_LISTEN)
    builder.add_edge("reply", "append")
    builder.add_edge("append", END)
    return builder


graph = build().compile(name="counseling_reply")
