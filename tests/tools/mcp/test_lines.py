"""Messages from a child's output, however it comes."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCResponse

from tools.mcp import child
from tools.mcp.child import NOT_UNDERSTOOD, TOO_LARGE

RESPONSES = st.lists(
    st.builds(
        lambda number, text: {"jsonrpc": "2.0", "id": number, "result": {"text": text}},
        st.integers(1, 1000),
        st.text(max_size=30),
    ),
    max_size=5,
)


def read(lines: child._Lines, data: bytes) -> list[Any]:
    found = []
    for item in lines.feed(data):
        assert isinstance(item, SessionMessage)
        found.append(item.message)
    return found


@given(RESPONSES, st.lists(st.integers(0, 400), max_size=6))
def test_it_does_not_matter_where_the_output_is_cut(responses: list[dict[str, Any]], cuts: list[int]) -> None:
    data = b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in responses)
    borders = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    lines = child._Lines()
    found = [message for start, end in pairwise(borders) for message in read(lines, data[start:end])]
    assert [(message.id, message.result) for message in found] == [(each["id"], each["result"]) for each in responses]


@pytest.mark.parametrize("size", [100, 1000, 70_000])
@pytest.mark.parametrize("order", ["id first", "id last"])
def test_the_request_of_a_message_that_is_too_large_is_answered(
    monkeypatch: pytest.MonkeyPatch, size: int, order: str
) -> None:
    """Python's servers write the id first, JavaScript's last."""
    monkeypatch.setattr(child, "MESSAGE_LIMIT_BYTES", 300)
    result = {"text": '"id": 3, ' * size}
    message = {"jsonrpc": "2.0", "id": 7, "result": result}
    if order == "id last":
        message = {"result": result, "jsonrpc": "2.0", "id": 7}
    data = json.dumps(message, separators=(",", ":")).encode() + b'\n{"jsonrpc":"2.0","id":8,"result":{}}\n'
    lines = child._Lines()
    found = [each for start in range(0, len(data), 100) for each in read(lines, data[start : start + 100])]
    refused, answered = found
    assert isinstance(refused, JSONRPCError)
    assert (refused.id, refused.error.message) == (7, TOO_LARGE)
    assert isinstance(answered, JSONRPCResponse)
    assert answered.id == 8


def test_an_answer_that_is_no_valid_message_is_told_at_once() -> None:
    """Half a surrogate pair is no character: JSON can write it, and nobody can read it."""
    [refused] = read(child._Lines(), b'{"jsonrpc":"2.0","id":7,"result":{"text":"\\ud800"}}\n')
    assert isinstance(refused, JSONRPCError)
    assert (refused.id, refused.error.message) == (7, NOT_UNDERSTOOD)


def test_a_request_of_the_servers_is_not_taken_for_an_answer_to_ours() -> None:
    line = b'{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"message":"\\ud800"}}\n'
    assert read(child._Lines(), line) == []


@pytest.mark.parametrize("line", [b"", b"  ", b"Listening on stdio", b"{", b"\xff\xfe", b'"\\ud800"', b"[1]"])
def test_a_line_that_is_no_message_is_passed_over(line: bytes) -> None:
    assert read(child._Lines(), line + b"\n") == []
