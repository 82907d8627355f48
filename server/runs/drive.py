"""One pass of a graph from a run's request to its end, an interrupt, or an exception."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.constants import END
from langgraph.runtime import RunControl
from langgraph.types import Command, Send
from langsmith.utils import tracing_is_enabled

from core.errors import NotFound
from server.runs.callbacks import RunCallbacks
from server.runs.encode import encode
from server.runs.model import Claim, RunOptions
from server.runs.parts import INTERRUPT, Part, Teller, Told, graph_modes, part_of
from server.runs.snapshots import pending_interrupts
from server.runs.workflows import Graph, Workflows
from server.runs.writer import RunWriter

_RECURSION_LIMIT: Final = 100


@dataclass
class Driven:
    """What a pass left: the newest state, which of it is the graph's output, and the interrupts it stopped at."""

    state: Any = field(default_factory=dict)
    """By key; a workflow function's (and a state's that is one value) is what it returned."""
    is_one_value: bool = False
    output_names: tuple[str, ...] | None = ()
    """None: the output is not wanted."""
    interrupts: dict[str, Any] = field(default_factory=dict)
    stopped: bool = False
    as_json: Callable[[str, Any], Any] = lambda _name, value: value
    """Gives a value of the state as JSON where that is known: long lists."""

    @property
    def _is_empty(self) -> bool:
        return isinstance(self.state, dict) and not self.state

    def values(self) -> str | None:
        """Return the whole state as JSON; None where no step came to its end. For the end of the pass: it costs."""
        if self._is_empty:
            return None
        if not isinstance(self.state, dict) or self.is_one_value:
            return encode(self.state)
        return self._encode(self.state)

    def output(self) -> str | None:
        """Return what the graph declares as its output, as JSON."""
        if self._is_empty or self.output_names is None:
            return None
        if not isinstance(self.state, dict) or self.is_one_value:
            return self.values()
        return self._encode({name: self.state[name] for name in self.output_names if name in self.state})

    def _encode(self, state: dict[str, Any]) -> str:
        return encode({name: self.as_json(name, value) for name, value in state.items()})


def may_begin_early(workflows: Workflows, claimed: Claim) -> bool:
    """Tell whether all that `drive` does before it reads the thread's newest checkpoint may be done in vain.

    Not where code that is not ours would be called: a function that makes the graph, callbacks, tracers. Nor where the
    graph's own start is an event.
    """
    options = claimed.request.get("options", {})
    return not (
        # Another process accepted it, which had other workflows: it fails like any other, when it has its thread.
        claimed.workflow not in workflows
        or options.keys() & {"checkpoint", "goto"}
        or "events" in claimed.request["stream_modes"]
        or workflows.is_made_anew(claimed.workflow)
        or (workflows[claimed.workflow].config or {}).get("callbacks")
        or tracing_is_enabled()
    )


async def drive(
    graph: Graph,
    claimed: Claim,
    events: RunWriter,
    driven: Driven,
    *,
    callbacks: RunCallbacks,
    control: RunControl,
) -> None:
    """Execute the claimed run on `graph`, which carries its saver; `driven` holds what came before an exception too."""
    options = RunOptions(**claimed.request.get("options", {}))
    driven.output_names = _output_names(graph) if options.keeps_output else None
    driven.is_one_value = isinstance(graph.output_channels, str)
    config = _config(claimed, options) | {"callbacks": [callbacks]}
    if claimed.restarts_input and options.checkpoint is not None:
        await _check_there(graph, config)
    teller = Teller(frozenset(claimed.request["stream_modes"]))
    emitted = _ended if options.goto == [END] else _emitted
    async for part, told in emitted(graph, claimed, options, config, teller, control):
        for event in told:
            events.append(event.event, event.data, early=event.early)
        if part is not None and part.mode == "values" and part.namespace == ():
            driven.state = _without_interrupts(part.data, driven)
            events.go_ahead()
    driven.stopped = callbacks.has_stopped
    if driven.stopped:
        # The thread's newest checkpoint, also where the run forked from another one.
        driven.interrupts = pending_interrupts(await graph.aget_state(_place(claimed)))


async def _check_there(graph: Graph, config: RunnableConfig) -> None:
    """See that retention has not deleted the checkpoint since the run was asked for: LangGraph would begin anew."""
    saver = graph.checkpointer
    if isinstance(saver, BaseCheckpointSaver) and await saver.aget_tuple(config) is None:
        raise NotFound("The thread has no such checkpoint any more.", code="NO_SUCH_CHECKPOINT")


async def _emitted(
    graph: Graph,
    claimed: Claim,
    options: RunOptions,
    config: RunnableConfig,
    teller: Teller,
    control: RunControl,
) -> AsyncIterator[tuple[Part | None, list[Told]]]:
    """Yield what the graph emits, with the events that tell it."""
    given: dict[str, Any] = {
        "context": options.context,
        "stream_mode": graph_modes(teller.wanted),
        "interrupt_before": options.interrupt_before,
        "interrupt_after": options.interrupt_after,
        # The next step waits for the saver, which says when what it was given is safe, and whether the run goes on.
        "durability": "sync",
        "subgraphs": options.subgraphs,
        "control": control,
    }
    send = _to_send(claimed, options)
    if "events" not in teller.wanted:
        async for emitted in graph.astream(send, config, **given):
            part = part_of(emitted, subgraphs=options.subgraphs)
            yield part, list(teller.tell(part))
        return
    run_id = str(claimed.run_id)
    async for event in graph.astream_events(send, config, version="v2", **given):
        chunk = None
        if event["event"] == "on_chain_stream" and event["run_id"] == run_id:
            chunk = part_of(event["data"]["chunk"], subgraphs=options.subgraphs)
        told = list(teller.tell_raw(event, chunk))
        yield chunk, told if chunk is None else [*told, *teller.tell(chunk)]


async def _ended(
    graph: Graph,
    claimed: Claim,
    options: RunOptions,  # noqa: ARG001 - as `_emitted`
    config: RunnableConfig,
    teller: Teller,
    control: RunControl,  # noqa: ARG001 - as `_emitted`
) -> AsyncIterator[tuple[Part | None, list[Told]]]:
    """End what the thread was about to do (agent-chat-ui's "resolve"); LangGraph alone would ask again."""
    if claimed.restarts_input:
        await graph.aupdate_state(config, None, as_node=END)
    part = Part((), "values", (await graph.aget_state(_place(claimed))).values)
    yield part, list(teller.tell(part))


def _config(claimed: Claim, options: RunOptions) -> RunnableConfig:
    config = _place(claimed)
    # The engine's own keys last: a client cannot set them.
    config["configurable"] = options.configurable | config["configurable"]
    if claimed.restarts_input and options.checkpoint is not None:
        config["configurable"] |= options.checkpoint
    config["recursion_limit"] = options.recursion_limit or _RECURSION_LIMIT
    config["tags"] = list(options.tags)
    config["run_id"] = claimed.run_id
    config["metadata"] = claimed.request.get("metadata", {}) | {
        "run_id": str(claimed.run_id),
        "workflow": claimed.workflow,
        "attempt": claimed.attempt,
    }
    return config


def _place(claimed: Claim) -> RunnableConfig:
    return {"configurable": {"thread_id": str(claimed.thread_id)}}


def _without_interrupts(data: Any, driven: Driven) -> Any:
    if not isinstance(data, dict):
        return data
    state = {name: value for name, value in data.items() if name != INTERRUPT}
    # Where the state is one value, an interrupt comes alone.
    return driven.state if driven.is_one_value and not state else state


def _output_names(graph: Graph) -> tuple[str, ...]:
    # `values` holds the whole state; a run's output is what the graph declares as such.
    names = graph.output_channels
    return (names,) if isinstance(names, str) else tuple(names)


def _to_send(claimed: Claim, options: RunOptions) -> Any:
    # The thread has moved on since the run was accepted: what was sent is in its checkpoints already.
    if not claimed.restarts_input:
        return None
    resume = claimed.request["resume"]
    if resume is not None or options.update is not None or options.goto:
        goto = [Send(item["node"], item["input"]) if isinstance(item, dict) else item for item in options.goto]
        update = options.update
        return Command(
            resume=resume, goto=goto, update=[tuple(p) for p in update] if isinstance(update, list) else update
        )
    return claimed.request["input"]
