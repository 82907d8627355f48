"""What is kept of a tool's answer."""

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from tools.mcp.results import render

PICTURE = base64.b64encode(b"\x89PNG" * 100).decode()

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
BLOCKS: st.SearchStrategy[ContentBlock] = st.one_of(
    TEXTS.map(lambda text: TextContent(text=text)),
    TEXTS.map(lambda text: EmbeddedResource(resource=TextResourceContents(uri="x://y", text=text))),
    st.binary(max_size=300).map(lambda data: ImageContent(data=base64.b64encode(data).decode(), mime_type="image/png")),
    TEXTS.map(lambda name: ResourceLink(uri="x://y", name=name)),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(BLOCKS, max_size=6), JSON, st.integers(64, 2000))
def test_it_never_takes_more_than_the_limit_and_postgresql_can_hold_it(
    blocks: list[ContentBlock], structured: Any, limit: int
) -> None:
    result = render(CallToolResult(content=blocks, structured_content=structured), limit=limit)
    taken = sum(len(orjson.dumps(block)) for block in result.content)
    if result.structured is not None:
        taken += len(orjson.dumps(result.structured))
    assert taken <= limit
    assert "\\u0000" not in json.dumps([*result.content, result.structured])
    if not result.truncated:
        assert len(result.content) == len(blocks)


@given(st.text('水a\n"\\\x01😀', min_size=200, max_size=400), st.integers(60, 200))
def test_a_flood_is_cut_on_a_characters_border(text: str, limit: int) -> None:
    result = render(CallToolResult(content=[TextContent(text=text)]), limit=limit)
    assert result.truncated
    assert text.startswith(result.text)
    # Little of the room is wasted.
    assert len(orjson.dumps(result.content)) > limit // 4


@pytest.mark.parametrize(
    ("block", "note"),
    [
        (ImageContent(data=PICTURE, mime_type="image/png"), "[image: image/png, 402 bytes, left out]"),
        (AudioContent(data=PICTURE, mime_type="audio/wav"), "[audio: audio/wav, 402 bytes, left out]"),
        (
            EmbeddedResource(resource=BlobResourceContents(uri="x://y", blob=PICTURE, mime_type="application/pdf")),
            "[resource: application/pdf, 402 bytes, left out]",
        ),
    ],
)
def test_what_is_binary_and_large_becomes_a_note(block: ContentBlock, note: str) -> None:
    result = render(CallToolResult(content=[block, TextContent(text="and more")]), limit=1000)
    assert result.text == f"{note}\nand more"
    assert result.truncated
    whole = render(CallToolResult(content=[block]), limit=10_000)
    assert not whole.truncated
    assert whole.content[0]["type"] == block.type


def test_what_is_structured_is_kept_whole_or_left_out() -> None:
    answer = CallToolResult(content=[TextContent(text="x" * 500)], structured_content={"rows": ["y" * 500]})
    assert render(answer, limit=2000).structured == {"rows": ["y" * 500]}
    cut = render(answer, limit=800)
    assert (cut.structured, cut.truncated, len(cut.text)) == (None, True, 500)


def test_numbers_that_json_or_the_database_does_not_know() -> None:
    answer = CallToolResult(content=[], structured_content={"a": float("nan"), "b": 2**70, "c": float("inf"), "d": 7})
    assert render(answer).structured == {"a": None, "b": str(2**70), "c": None, "d": 7}
