"""One pass of a graph from a run's request to its end, an interrupt, or an exception."""

from dataclasses import dataclass, field
from typing import Any, Final, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import RunControl
from langgraph.types import Command

from server.runs.encode import plain
from server.runs.events import EventWriter
from server.runs.model import Claim, StreamMode
from server.runs.snapshots import pending_interrupts
from server.runs.workflows import Graph

_RECURSION_LIMIT: Final = 100
# LangGraph puts interrupts among the state's keys under this name.
_INTERRUPT: Final = "__interrupt__"
# What the engine itself reads: the output from `values`, the interrupts from `updates`.
_NEEDED: Final = frozenset({"values", "updates"})


@dataclass
class Driven:
    """What a pass left: the newest state, which of it is the graph's output, and the interrupts it stopped at."""

    state: Any = field(default_factory=dict)
    """By key; a workflow function's (and a state's that is one value) is what it returned."""
    output_names: tuple[str, ...] = ()
    is_one_value: bool = False
    interrupts: dict[str, Any] = field(default_factory=dict)

    @property
    def _is_empty(self) -> bool:
        return isinstance(self.state, dict) and not self.state

    def values(self) -> Any:
        """Return the whole state as JSON; None where no step came to its end. For the end of the pass: it costs."""
        return None if self._is_empty else plain(self.state)

    def output(self) -> Any:
        """Return what the graph declares as its output, as JSON."""
        if self._is_empty:
            return None
        if not isinstance(self.state, dict) or self.is_one_value:
            return plain(self.state)
        return plain({name: self.state[name] for name in self.output_names if name in self.state})


async def drive(
    graph: Graph,
    claimed: Claim,
    events: EventWriter,
    driven: Driven,
    *,
    callbacks: list[BaseCallbackHandler],
    control: RunControl,
) -> None:
    """Execute the claimed run on `graph`, which carries its saver; `driven` holds what came before an exception too."""
    wanted = claimed.request["stream_modes"]
    stopped = False
    driven.output_names = _output_names(graph)
    driven.is_one_value = isinstance(graph.output_channels, str)
    config: RunnableConfig = {
        "configurable": {"thread_id": str(claimed.thread_id)},
        "callbacks": callbacks,
        "recursion_limit": _RECURSION_LIMIT,
        "run_id": claimed.run_id,
        "metadata": {"run_id": str(claimed.run_id), "workflow": claimed.workflow, "attempt": claimed.attempt},
    }
    modes = cast("list[StreamMode]", sorted(_NEEDED | set(wanted)))
    parts = graph.astream(_to_send(claimed), config, stream_mode=modes, durability="sync", control=control)
    async for part in parts:
        mode, data = cast("tuple[str, Any]", part)
        if mode == "values":
            driven.state = _state(data, driven)
        stopped |= mode == "updates" and _INTERRUPT in data
        if mode in wanted:
            # Who hears of an interrupt may answer at once: it has to be committed by then.
            events.append(mode, data, early=not _announces(mode, data))
    if stopped:
        driven.interrupts = pending_interrupts(await graph.aget_state(config))


def _state(data: Any, driven: Driven) -> Any:
    if not isinstance(data, dict):
        return data
    state = {name: value for name, value in data.items() if name != _INTERRUPT}
    # Where the state is one value, an interrupt comes alone.
    return driven.state if driven.is_one_value and not state else state


def _announces(mode: str, data: Any) -> bool:
    """Tell whether an event of any stream mode says that the graph waits for an answer."""
    if not isinstance(data, dict):
        return False
    match mode:
        case "debug":
            return _announces("tasks", data.get("payload")) or _announces("checkpoints", data.get("payload"))
        case "tasks":
            return bool(data.get("interrupts"))
        case "checkpoints":
            return any(task.get("interrupts") for task in data.get("tasks", ()))
    return _INTERRUPT in data


def _output_names(graph: Graph) -> tuple[str, ...]:
    # `values` holds the whole state; a run's output is what the graph declares as such.
    names = graph.output_channels
    return (names,) if isinstance(names, str) else tuple(names)


def _to_send(claimed: Claim) -> Any:
    # The thread has moved on since the run was accepted: what was sent is in its checkpoints already.
    if not claimed.restarts_input:
        return None
    if claimed.request["resume"] is not None:
        return Command(resume=claimed.request["resume"])
    return claimed.request["input"]
