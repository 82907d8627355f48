"""What a graph looks like from outside: its drawing and its JSON schemas. Slow: for a thread, once a graph."""

from collections.abc import Callable
from typing import Any

import structlog
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel.protocol import PregelProtocol
from pydantic import TypeAdapter

from server.runs.workflows import Graph

# A graph, or a subgraph that may be somewhere else.
AnyGraph = PregelProtocol[Any, Any, Any, Any]
log = structlog.get_logger(__name__)


def drawing(graph: Graph, xray: int | bool) -> dict[str, Any]:  # noqa: FBT001 - LangGraph's own type
    """Return nodes and edges as JSON."""
    drawn: dict[str, Any] = graph.get_graph(xray=xray).to_json()
    for node in drawn["nodes"]:
        if isinstance(node.get("data"), dict):
            # Where in the code the node is made is nobody's business.
            node["data"].pop("id", None)
    return drawn


def schemas(graph: AnyGraph) -> dict[str, Any]:
    """Return the JSON schemas of input, output, state, config and context; null where a type has none."""
    context = _schema(graph, "context", graph.get_context_jsonschema)  # type: ignore[attr-defined]
    return {
        "input_schema": _schema(graph, "input", graph.get_input_jsonschema),
        "output_schema": _schema(graph, "output", graph.get_output_jsonschema),
        "state_schema": _schema(graph, "state", lambda: _state(graph)),
        # Since LangGraph 0.6 what was configurable is context; older clients ask for it here.
        "config_schema": context or {},
        "context_schema": context,
    }


def _state(graph: AnyGraph) -> dict[str, Any] | None:
    if not isinstance(graph, CompiledStateGraph):
        return None
    return TypeAdapter(graph.builder.state_schema).json_schema()


def _schema(graph: AnyGraph, kind: str, make: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - other people's types; the protocol has null for what has no schema
        log.warning("graph_has_no_schema", graph=graph.get_name(), kind=kind, error=type(error).__name__)
        return None
