"""What a graph emits, as the events of the LangGraph Server protocol's stream modes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message
from langgraph.types import Interrupt

from server.runs.snapshots import FAILED, checkpoint_of, show_failure, show_interrupt

# LangGraph puts interrupts among the state's keys, and among the nodes' names, under this one.
INTERRUPT: Final = "__interrupt__"
# What the engine itself reads the output from.
_NEEDED: Final = frozenset({"values"})
_CONFIGS: Final = {"checkpoint": "config", "parent_checkpoint": "parent_config"}


class Part(NamedTuple):
    """One thing that a graph emitted: the subgraph's namespace (`()` is the graph itself), the mode, and the data."""

    namespace: tuple[str, ...]
    mode: str
    data: Any


class Told(NamedTuple):
    """An event for the run's readers; `early` ones may be seen before they are committed."""

    event: str
    data: Any
    early: bool = True


def graph_modes(wanted: Iterable[str]) -> list[str]:
    """Return LangGraph's own stream modes for what a client asks for, and for what the engine needs."""
    own = {"messages" if mode == "messages-tuple" else mode for mode in wanted} - {"events"}
    return sorted(own | _NEEDED)


def part_of(emitted: Any, *, subgraphs: bool) -> Part:
    """Return what `astream` gives, which has a namespace only if subgraphs are streamed."""
    return Part(*emitted) if subgraphs else Part((), *emitted)


@dataclass
class Teller:
    """Turns parts into the events that a client asked for, and only those."""

    wanted: frozenset[str]
    _messages: dict[str, BaseMessage] = field(default_factory=dict)

    def tell(self, part: Part) -> Iterator[Told]:
        """Yield the events of a part."""
        suffix = "".join(f"|{name}" for name in part.namespace)
        if part.mode == "messages":
            if "messages-tuple" in self.wanted:
                yield Told(f"messages{suffix}", part.data)
            if "messages" in self.wanted:
                yield from self._cumulative(*part.data)
        elif part.mode in self.wanted:
            # Who hears of an interrupt may answer at once: it has to be committed by then.
            early = not announces(part.mode, part.data)
            yield Told(f"{part.mode}{suffix}", _shown(part.mode, part.data), early)

    def tell_raw(self, event: Mapping[str, Any], emitted: Part | None) -> Iterator[Told]:
        """Yield an event of `astream_events`, unless it is a part that only the engine reads."""
        if "events" not in self.wanted:
            return
        if "error" in event.get("data", {}):
            # A tool's, say, whose text may hold anything.
            event = {**event, "data": {**event["data"], "error": FAILED}}
        if emitted is None:
            yield Told("events", event)
        elif emitted.mode in self.wanted or emitted.mode == "messages":
            yield Told("events", event, early=not announces(emitted.mode, emitted.data))

    def _cumulative(self, message: BaseMessage, metadata: Any) -> Iterator[Told]:
        """Yield a message as it stands after a chunk; LangGraph has given it an id."""
        name = str(message.id)
        before = self._messages.get(name)
        if before is None:
            yield Told("messages/metadata", {name: {"metadata": metadata}})
        if not isinstance(message, BaseMessageChunk):
            yield Told("messages/complete", [message])
            return
        whole = before + message if isinstance(before, BaseMessageChunk) else message
        self._messages[name] = whole
        shown = [message_chunk_to_message(whole)]
        yield Told("messages/partial", shown)
        if getattr(message, "chunk_position", None) == "last":
            yield Told("messages/complete", shown)


def announces(mode: str, data: Any) -> bool:
    """Tell whether data of any stream mode says that the graph waits for an answer."""
    if not isinstance(data, Mapping):
        return False
    match mode:
        case "debug":
            return announces("tasks", data.get("payload")) or announces("checkpoints", data.get("payload"))
        case "tasks":
            return bool(data.get("interrupts"))
        case "checkpoints":
            return any(task.get("interrupts") for task in data.get("tasks", ()))
    return INTERRUPT in data


def _shown(mode: str, data: Any) -> Any:
    """Return data as clients know it: without exceptions' texts or the engine's config."""
    if not isinstance(data, Mapping):
        return data
    match mode:
        case "debug":
            kind = "checkpoints" if data.get("type") == "checkpoint" else "tasks"
            return {**data, "payload": _shown(kind, data.get("payload"))}
        case "tasks":
            return show_failure(data)
        case "checkpoints":
            places = {name: checkpoint_of(data.get(config)) for name, config in _CONFIGS.items()}
            kept = {key: value for key, value in data.items() if key not in _CONFIGS.values()}
            return {**kept, **places, "tasks": [show_failure(task) for task in data.get("tasks", ())]}
    if INTERRUPT in data:
        found = data[INTERRUPT]
        return {**data, INTERRUPT: [show_interrupt(item) if isinstance(item, Interrupt) else item for item in found]}
    return data
