"""The workflows that `langgraph.json` names: the one list of them."""

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

Graph = Pregel[Any, Any, Any, Any]


class WorkflowError(Exception):
    """`langgraph.json`, or what it names, cannot be used."""


class Workflows(Mapping[str, Graph]):
    """Compiled graphs by name, without a checkpointer: the engine attaches one for each run (X014)."""

    def __init__(self, graphs: Mapping[str, Graph]) -> None:
        self._graphs = dict(graphs)

    def __getitem__(self, name: str) -> Graph:
        return self._graphs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._graphs)

    def __len__(self) -> int:
        return len(self._graphs)


def load(config: Path) -> Workflows:
    """Import every graph that `config` names. Blocking: for the start of a process.

    Raises:
        WorkflowError: the file is missing or malformed, or an entry is no graph.
    """
    try:
        entries = json.loads(config.read_text(encoding="utf-8"))["graphs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkflowError(f"{config} must be a langgraph.json with a `graphs` object: {error}") from error
    return Workflows({name: _graph(name, entry, config.parent) for name, entry in entries.items()})


def _graph(name: str, entry: Any, root: Path) -> Graph:
    location = entry["path"] if isinstance(entry, dict) else entry
    module_name, colon, attribute = str(location).rpartition(":")
    if not colon:
        raise WorkflowError(f"graph {name}: `{location}` must have the form module:attribute")
    try:
        found = getattr(_module(module_name, root), attribute)
    except (ImportError, AttributeError) as error:
        raise WorkflowError(f"graph {name}: cannot import `{location}`: {error}") from error
    graph = found.compile(name=name) if isinstance(found, StateGraph) else found
    if not isinstance(graph, Pregel):
        raise WorkflowError(f"graph {name}: `{location}` is no LangGraph graph")
    if graph.checkpointer is not None:
        raise WorkflowError(f"graph {name}: compile it without a checkpointer; the server attaches its own")
    return graph


def _module(name: str, root: Path) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = (root / name).resolve()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module at {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
