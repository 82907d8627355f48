"""The workflows that `langgraph.json` names: the one list of them (of ours, of other people's, or both)."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from checkpoints.saver import PooledSaver
from server.runs.loading import environment, modules, project
from server.runs.loading.errors import WorkflowError
from server.runs.loading.graphs import Factory, Graph, factory, made_once, served
from server.runs.loading.project import Entry, Project
from server.runs.model import Claim

__all__ = ["Graph", "WorkflowError", "Workflows", "knowing", "load", "with_saver"]


class Workflows(Mapping[str, Graph]):
    """Compiled graphs by name, without a checkpointer: the engine attaches one for each run (X014).

    A graph that is looked up by its name serves to read states and to be drawn; `opened` gives the one for a run.
    """

    def __init__(
        self,
        graphs: Mapping[str, Graph],
        factories: Mapping[str, Factory] | None = None,
        descriptions: Mapping[str, str] | None = None,
    ) -> None:
        self._graphs = dict(graphs)
        self._factories = dict(factories or {})
        self._descriptions = dict(descriptions or {})

    def __getitem__(self, name: str) -> Graph:
        return self._graphs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._graphs)

    def __len__(self) -> int:
        return len(self._graphs)

    def description(self, name: str) -> str | None:
        """Return what `langgraph.json` says about a graph."""
        return self._descriptions.get(name)

    def is_made_anew(self, name: str) -> bool:
        """Tell whether a function makes the graph for each run."""
        return name in self._factories

    @asynccontextmanager
    async def opened(self, claimed: Claim) -> AsyncIterator[Graph]:
        """Give the graph for one run: where a function makes it, made anew from the run's config."""
        if (made := self._factories.get(claimed.workflow)) is None:
            yield self._graphs[claimed.workflow]
            return
        async with made.made(_config(claimed)) as graph:
            yield graph


def _config(claimed: Claim) -> RunnableConfig:
    sent = claimed.request.get("options", {}).get("configurable", {})
    return {
        # The engine's own keys last: a client cannot set them.
        "configurable": {**sent, "thread_id": str(claimed.thread_id), "run_id": str(claimed.run_id)},
        "metadata": {"run_id": str(claimed.run_id), "workflow": claimed.workflow, "attempt": claimed.attempt},
    }


def with_saver(graph: Graph, saver: BaseCheckpointSaver[Any]) -> Graph:
    """Return the graph with a checkpointer attached. Use this, not its own `copy`: see `loading.graphs.altered`.

    That makes the graph anew besides, which each run would pay for.
    """
    attached = copy(graph)
    attached.checkpointer = saver
    return attached


def knowing(graph: Graph, saver: PooledSaver) -> PooledSaver:
    """Return a saver that knows the classes of the graph's state, for reading without the graph."""
    known: PooledSaver = saver.with_allowlist(graph._serde_allowlist or ())  # type: ignore[assignment]  # noqa: SLF001
    return known


def load(*configs: Path) -> Workflows:
    """Import every graph that the files name. Blocking, in a thread without an event loop: for a process's start.

    Raises:
        WorkflowError: a file is missing or malformed, an entry is no graph, or two files name one alike.
    """
    graphs: dict[str, Graph] = {}
    factories: dict[str, Factory] = {}
    descriptions: dict[str, str] = {}
    origins: dict[str, Path] = {}
    for found in [project.read(config) for config in dict.fromkeys(configs)]:
        environment.apply(found)
        modules.open_folders(found)
        for entry in found.entries:
            name = entry.name
            if name in origins:
                raise WorkflowError(f"graph {name} is in {origins[name]} and in {found.file}. Rename one.")
            origins[name] = found.file
            graphs[name], made = _graph(found, entry)
            if made is not None:
                factories[name] = made
            if entry.description:
                descriptions[name] = entry.description
    return Workflows(graphs, factories, descriptions)


def _graph(found: Project, entry: Entry) -> tuple[Graph, Factory | None]:
    value = modules.load(found, entry)
    try:
        if callable(value):
            made = factory(entry.name, value)
            return made_once(made), made
        return served(entry.name, value), None
    except WorkflowError as error:
        raise WorkflowError(f"{found.file}: graph {entry.name}: `{entry.location}`: {error}") from error
    except Exception as error:
        raise WorkflowError(f"{found.file}: graph {entry.name}: `{entry.location}` cannot be used: {error}") from error
