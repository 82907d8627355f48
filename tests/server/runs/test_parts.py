"""What a graph emits, as a client is told it: nothing of an exception, nothing of the engine's own."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langgraph.types import Interrupt

from server.runs.parts import Part, Teller, graph_modes, part_of

SECRET = RuntimeError("secret detail")


def told(part: Part, *wanted: str) -> list[tuple[str, Any, bool]]:
    return [tuple(event) for event in Teller(frozenset(wanted)).tell(part)]


def test_the_engines_own_modes_stay_with_it() -> None:
    assert graph_modes(["messages-tuple", "events"]) == ["messages", "values"]
    for mode in ("values", "updates"):
        assert told(Part((), mode, {"a": 1}), "custom", "messages", "events") == []


@pytest.mark.parametrize("mode", ["values", "updates"])
def test_an_interrupt_is_told_late_and_in_the_protocols_form(mode: str) -> None:
    part = Part(("inner:1",), mode, {"__interrupt__": (Interrupt("why?", id="i"),)})
    assert told(part, mode) == [(f"{mode}|inner:1", {"__interrupt__": [{"id": "i", "value": "why?"}]}, False)]


@pytest.mark.parametrize(
    ("mode", "data"),
    [
        ("tasks", {"id": "1", "error": SECRET, "interrupts": []}),
        ("checkpoints", {"config": {"callbacks": [SECRET]}, "tasks": [{"id": "1", "error": SECRET}]}),
        ("debug", {"type": "task_result", "payload": {"error": SECRET}}),
        ("debug", {"type": "checkpoint", "payload": {"tasks": [{"error": SECRET}], "parent_config": {"a": SECRET}}}),
    ],
)
def test_no_exception_is_told(mode: str, data: dict[str, Any]) -> None:
    [(name, shown, _)] = told(Part((), mode, data), mode)
    assert name == mode
    assert "secret" not in str(shown)
    assert "The node failed." in str(shown)


def test_no_exception_of_a_tool_either() -> None:
    teller = Teller(frozenset({"events"}))
    [event] = teller.tell_raw({"event": "on_tool_error", "data": {"error": SECRET, "input": 1}}, None)
    assert event.data == {"event": "on_tool_error", "data": {"error": "The node failed.", "input": 1}}


def test_messages_that_come_whole_and_in_pieces() -> None:
    teller = Teller(frozenset({"messages", "messages-tuple"}))
    pieces = [
        AIMessageChunk(content="a", id="1"),
        AIMessageChunk(content="b", id="1", chunk_position="last"),
        AIMessage(content="c", id="2"),
    ]
    events = [event for piece in pieces for event in teller.tell(Part((), "messages", (piece, {"node": "n"})))]
    assert [event.event for event in events] == [
        *("messages", "messages/metadata", "messages/partial"),
        *("messages", "messages/partial", "messages/complete"),
        *("messages", "messages/metadata", "messages/complete"),
    ]
    texts = [event.data[0].content for event in events if event.event in ("messages/partial", "messages/complete")]
    assert texts == ["a", "ab", "ab", "c"]


def test_parts_have_a_namespace_only_where_subgraphs_are_streamed() -> None:
    assert part_of(("values", {}), subgraphs=False) == Part((), "values", {})
    assert part_of((("a",), "values", {}), subgraphs=True) == Part(("a",), "values", {})
