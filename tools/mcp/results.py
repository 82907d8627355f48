"""What a tool answered, as JSON within limits: floods are cut, large pictures become a note (issue 5)."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from mcp.types import CallToolResult, ContentBlock

from tools.mcp.clean import clean, cut
from tools.mcp.model import ToolResult

OUTPUT_LIMIT_BYTES: Final = 256 * 1024
# A picture is rarely what a text model or a log row is for: it may take a quarter of the limit.
_MEDIA_SHARE: Final = 4
_MEDIA: Final = {"image": "data", "audio": "data"}


def render(result: CallToolResult, *, limit: int = OUTPUT_LIMIT_BYTES) -> ToolResult:
    """Return the result with content and structured content of at most `limit` bytes of JSON together.

    Content goes first; structured content is kept whole, or dropped where it does not fit into what is left.
    """
    left = limit
    truncated = False
    content: list[Mapping[str, Any]] = []
    for block in result.content:
        plain = clean(_plain(block, limit))
        kept, whole = _fit(plain, left, limit // _MEDIA_SHARE)
        truncated = truncated or not whole
        if kept is None:
            break
        content.append(kept)
        left -= len(orjson.dumps(kept))
    structured = clean(result.structured_content)
    if structured is not None and len(orjson.dumps(structured)) > left:
        structured, truncated = None, True
    return ToolResult(
        content=tuple(content), structured=structured, is_error=bool(result.is_error), truncated=truncated
    )


def failure(sentence: str) -> ToolResult:
    """Return a result that says why there is none: the server refused the call, or its answer cannot be used."""
    return ToolResult(content=({"type": "text", "text": cut(str(clean(sentence)), OUTPUT_LIMIT_BYTES)},), is_error=True)


def _plain(block: ContentBlock, limit: int) -> dict[str, Any]:
    """Return a block as JSON; of a text that cannot fit, not much more than could."""
    plain: dict[str, Any] = block.model_dump(by_alias=True, mode="json", exclude_none=True, exclude={"meta"})
    holder = plain.get("resource") or plain
    if isinstance(holder.get("text"), str):
        # A character takes a byte or more: one too many is enough to tell that something was cut.
        holder["text"] = holder["text"][: limit + 1]
    return plain


def _fit(block: dict[str, Any], left: int, media_limit: int) -> tuple[dict[str, Any] | None, bool]:
    """Return what of a block fits into `left` bytes (None: nothing), and whether that is all of it."""
    kind = str(block.get("type"))
    binary = block.get(_MEDIA.get(kind, ""))
    resource = block.get("resource")
    if isinstance(resource, dict):
        binary = resource.get("blob")
    if isinstance(binary, str) and len(binary) > min(left, media_limit):
        mime = (resource if isinstance(resource, dict) else block).get("mimeType", "application/octet-stream")
        return _fit_text({"type": "text", "text": f"[{kind}: {mime}, {len(binary) * 3 // 4} bytes, left out]"}, left)
    if len(orjson.dumps(block)) <= left:
        return block, True
    if kind == "text":
        return _fit_text(block, left)
    if isinstance(resource, dict) and isinstance(resource.get("text"), str):
        return _fit_text({"type": "text", "text": resource["text"]}, left)
    return None, False


def _fit_text(block: dict[str, Any], left: int) -> tuple[dict[str, Any] | None, bool]:
    """Cut a text block so that its JSON fits; it is never whole here."""
    text = str(block["text"])
    room = left - len(orjson.dumps(block | {"text": ""}))
    # What JSON escapes takes more bytes than the character itself, six at most.
    while room > 0 and len(orjson.dumps(text)) - 2 > room:
        excess = len(orjson.dumps(text)) - 2 - room
        text = cut(text, min(room, len(text.encode()) - max(excess // 6, 1)))
    return ({**block, "text": text}, False) if room > 0 else (None, False)
