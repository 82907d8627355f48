"""What a graph cannot do: LangGraph would drop it without a word, or fail in the middle of the run."""

from collections.abc import Iterable
from dataclasses import is_dataclass
from typing import Any, Final

from langgraph.constants import END
from langgraph.types import StateUpdate
from pydantic import BaseModel

from core.errors import InvalidInput
from server.runs import state_updates
from server.runs.model import RunOptions
from server.runs.workflows import Graph

EVERY_NODE: Final = "*"


class Refused(InvalidInput):
    """The request cannot be honoured with this graph."""

    status = 422


def check(graph: Graph, options: RunOptions) -> None:
    """Refuse options that name what the graph does not have.

    Raises:
        Refused: a node that is not there, or a context that does not fit.
        Unusable: a key that the state does not have.
    """
    for stops in (options.interrupt_before, options.interrupt_after):
        if stops is not None and stops != EVERY_NODE:
            _check_nodes(graph, stops)
    if END not in options.goto:
        _check_nodes(graph, (step["node"] if isinstance(step, dict) else step for step in options.goto))
    elif len(options.goto) > 1 or options.update is not None:
        raise Refused("A command that goes to __end__ can do nothing else.", code="ONLY_END")
    if options.update:
        update = options.update if isinstance(options.update, dict) else {key: None for key, _ in options.update}
        state_updates.check(graph, "", [StateUpdate(update)])
    if options.context is not None:
        _check_context(graph.context_schema, options.context)


def _check_nodes(graph: Graph, names: Iterable[str]) -> None:
    if not set(names) <= graph.nodes.keys() - {"__start__"}:
        raise Refused("interrupt_before, interrupt_after and goto must name nodes of the graph.", code="NO_SUCH_NODE")


def _check_context(schema: Any, context: dict[str, Any]) -> None:
    if not isinstance(schema, type) or not (is_dataclass(schema) or issubclass(schema, BaseModel)):
        return
    try:
        schema(**context)
    except Exception as error:
        # Its text may hold what the client sent.
        raise Refused("context does not fit the graph's context schema.", code="BAD_CONTEXT") from error
