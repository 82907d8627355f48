"""What graphs emit, as JSON: messages are told as they tell themselves."""

from typing import Any

import orjson
import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from server.runs.encode import encode

MESSAGES = [
    HumanMessage(content="a", id="1", name="x"),
    HumanMessage(content=[{"type": "text", "text": "hi"}]),
    AIMessage(content="b", tool_calls=[{"name": "t", "args": {"a": 1}, "id": "c"}], additional="kept"),
    AIMessage(content="c", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    AIMessageChunk(content="d", id="5", tool_call_chunks=[{"name": "a", "args": "{", "id": "1", "index": 0}]),
    ToolMessage(content="e", tool_call_id="c", artifact={"a": [1]}),
    SystemMessage(content="f"),
    RemoveMessage(id="4"),
    ChatMessage(content="g", role="r"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_told_as_it_tells_itself(message: Any) -> None:
    told = orjson.loads(encode({"messages": [message]}))["messages"][0]
    dumped = message.model_dump(mode="json")
    assert told == dumped
    assert list(told) == list(dumped)
