"""What a `langgraph.json` may name: a compiled graph, a builder, a workflow function, or what makes one of them."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from server.runs.loading.errors import WorkflowError, author_trace

log = structlog.get_logger(__name__)

Graph = Pregel[Any, Any, Any, Any]
# What LangGraph calls a graph that was given no name.
_NAMELESS: Final = "LangGraph"
_PLACED: Final = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


def altered(graph: Graph, update: Mapping[str, Any]) -> Graph:
    """Return a copy that still knows the classes of its state.

    `Pregel.copy` forgets the allow-list that `compile` made: under LANGGRAPH_STRICT_MSGPACK (X023) instances of the
    author's classes would come back from a checkpoint as dicts.
    """
    copy = graph.copy(update=dict(update))
    copy._serde_allowlist = graph._serde_allowlist  # noqa: SLF001 - there is no public way
    return copy


def served(name: str, value: Any) -> Graph:
    """Return the graph as it is served: under its entry's name, with no checkpointer of its own.

    Raises:
        WorkflowError: the value is no graph.
    """
    graph = value.compile(name=name) if isinstance(value, StateGraph) else value
    if not isinstance(graph, Pregel):
        raise WorkflowError(f"it is {_article(type(graph).__name__)}, no LangGraph graph")
    if graph.checkpointer is not None:
        log.warning("graph_checkpointer_replaced", graph=name, checkpointer=type(graph.checkpointer).__name__)
    if graph.store is not None:
        log.warning("graph_store_kept", graph=name, store=type(graph.store).__name__)
    return altered(graph, {"checkpointer": None, "name": name if graph.name == _NAMELESS else graph.name})


@dataclass(frozen=True)
class Factory:
    """A function that makes a graph for each run: from the run's config, if it takes one."""

    name: str
    call: Callable[..., Any]
    takes_config: bool

    @asynccontextmanager
    async def made(self, config: RunnableConfig) -> AsyncIterator[Graph]:
        """Make the graph; what the function holds open is held until the block ends.

        A function that is not async is called in a thread, as it may block.
        """
        arguments = (config,) if self.takes_config else ()
        if inspect.iscoroutinefunction(self.call):
            value = await self.call(*arguments)
        else:
            value = await asyncio.to_thread(self.call, *arguments)
            if inspect.isawaitable(value):
                value = await value
        failed: BaseException | None = None
        async with _entered(value) as graph:
            try:
                yield served(self.name, graph)
            except BaseException as error:
                failed = error
                raise
        if failed is not None:
            # A context manager of theirs may swallow what is not theirs: a lost fence, a cancellation.
            raise failed


def factory(name: str, function: Callable[..., Any]) -> Factory:
    """Look at what a function takes.

    Raises:
        WorkflowError: it is neither nothing nor one RunnableConfig.
    """
    try:
        parameters = [item for item in inspect.signature(function).parameters.values() if item.kind not in _PLACED]
    except (TypeError, ValueError):
        parameters = []
    needed = [item for item in parameters if item.default is inspect.Parameter.empty]
    if len(needed) > 1 or any("ServerRuntime" in str(item.annotation) for item in needed):
        raise WorkflowError("a function that makes a graph may take one argument, the run's RunnableConfig")
    if any(item.kind is inspect.Parameter.KEYWORD_ONLY for item in needed):
        raise WorkflowError("a function that makes a graph takes its RunnableConfig as a positional argument")
    first = parameters[0] if parameters else None
    wants = first is not None and (bool(needed) or first.name == "config" or "RunnableConfig" in str(first.annotation))
    return Factory(name, function, takes_config=wants)


def made_once(made: Factory) -> Graph:
    """Return the graph that a function makes without a run's config, to read states and draw it. For a thread.

    Raises:
        WorkflowError: the function failed, or made no graph.
    """

    async def make() -> Graph:
        async with made.made({"configurable": {}}) as graph:
            return graph

    try:
        return asyncio.run(make())
    except WorkflowError:
        raise
    except Exception as error:
        raise WorkflowError(f"the function that makes it failed:\n{author_trace(error)}") from error


@asynccontextmanager
async def _entered(value: Any) -> AsyncIterator[Any]:
    if hasattr(value, "__aenter__"):
        async with value as entered:
            yield entered
    elif hasattr(value, "__enter__"):
        entered = await asyncio.to_thread(value.__enter__)
        try:
            yield entered
        except BaseException as error:
            await asyncio.to_thread(value.__exit__, type(error), error, error.__traceback__)
            raise
        await asyncio.to_thread(value.__exit__, None, None, None)
    else:
        yield value


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
