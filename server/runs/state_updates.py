"""An update of a graph's state from outside: what is refused, and how it is applied."""

from typing import Any, Final

import psycopg
import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.constants import END
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from langgraph.types import StateUpdate

from core.errors import InvalidInput
from server.runs import snapshots
from server.runs.graph_schemas import AnyGraph
from server.runs.workflows import Graph

log = structlog.get_logger(__name__)

# What LangGraph itself takes for a node: the graph's input.
_INPUT: Final = "__input__"


class Unusable(InvalidInput):
    """The graph cannot take the update."""

    status = 422


def _target(graph: Graph, checkpoint_ns: str) -> AnyGraph:
    """Return the graph, or the subgraph of it that a namespace such as `inner:<task id>|deeper:<task id>` names."""
    if not checkpoint_ns:
        return graph
    # A part of digits alone counts the calls of one node.
    names = [part.partition(":")[0] for part in checkpoint_ns.split("|") if not part.isdecimal()]
    for _name, subgraph in graph.get_subgraphs(namespace="|".join(names), recurse=True):
        return subgraph
    raise Unusable("checkpoint_ns names no subgraph.", code="NO_SUCH_SUBGRAPH")


def check(graph: Graph, checkpoint_ns: str, updates: list[StateUpdate]) -> None:
    """Refuse what LangGraph would drop without a word, or tell in words of its own.

    Raises:
        Unusable: there is no such subgraph, or it has no such node, or its state no such key.
    """
    target = _target(graph, checkpoint_ns)
    for update in updates:
        if isinstance(target, Pregel) and update.as_node not in {*target.nodes, _INPUT, END, None}:
            raise Unusable("as_node names no node of the graph.", code="NO_SUCH_NODE")
        if isinstance(target, CompiledStateGraph) and isinstance(update.values, dict):
            channels = target.builder.channels.keys()
            if "__root__" not in channels and not update.values.keys() <= channels:
                raise Unusable("values has keys that the graph's state does not have.", code="NO_SUCH_CHANNEL")


async def apply(graph: Graph, config: RunnableConfig, updates: list[StateUpdate]) -> dict[str, Any]:
    """Apply updates as one step with the graph's own saver, and return the checkpoint that it made.

    Raises:
        Unusable: the graph's own code did not take them.
    """
    try:
        config = await graph.abulk_update_state(config, [updates])
    except psycopg.Error:
        raise
    except Exception as error:
        # Its text may hold what people said.
        log.warning("state_update_refused", error=type(error).__name__)
        raise Unusable("The graph cannot take these values there: see as_node and the graph's state.") from error
    return snapshots.checkpoint_of(config) or {}
