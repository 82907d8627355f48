"""One pass of a graph from a run's request to its end, an interrupt, or an exception."""

from dataclasses import dataclass, field
from typing import Any, Final, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import RunControl
from langgraph.types import Command

from server.runs.encode import plain
from server.runs.model import Claim, StreamMode
from server.runs.snapshots import pending_interrupts
from server.runs.workflows import Graph
from server.runs.writer import RunWriter

_RECURSION_LIMIT: Final = 100
# LangGraph puts interrupts among the state's keys under this name.
_INTERRUPT: Final = "__interrupt__"
# What the engine itself reads: the output from `values`, the interrupts from `updates`.
_NEEDED: Final = frozenset({"values", "updates"})


@dataclass
class Driven:
    """What a pass left: the newest state, which of it is the graph's output, and the interrupts it stopped at."""

    state: dict[str, Any] = field(default_factory=dict)
    output_names: tuple[str, ...] = ()
    interrupts: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any] | None:
        """Return the whole state as JSON; None where no step came to its end. For the end of the pass: it costs."""
        return plain(self.state) if self.state else None

    def output(self) -> dict[str, Any] | None:
        """Return what the graph declares as its output, as JSON."""
        if not self.state:
            return None
        output: dict[str, Any] = plain({name: self.state[name] for name in self.output_names if name in self.state})
        return output


async def drive(
    graph: Graph,
    claimed: Claim,
    events: RunWriter,
    driven: Driven,
    *,
    callbacks: list[BaseCallbackHandler],
    control: RunControl,
) -> None:
    """Execute the claimed run on `graph`, which carries its saver; `driven` holds what came before an exception too."""
    wanted = claimed.request["stream_modes"]
    stopped = False
    driven.output_names = _output_names(graph)
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
            driven.state = {name: value for name, value in data.items() if name != _INTERRUPT}
        stopped |= mode == "updates" and _INTERRUPT in data
        if mode in wanted:
            # Who hears of an interrupt may answer at once: it has to be committed by then.
            events.append(mode, data, early=not _announces(mode, data))
    if stopped:
        driven.interrupts = pending_interrupts(await graph.aget_state(config))


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
