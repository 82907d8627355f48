"""Server-sent events of the families' endpoints."""

from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from server.runs.encode import encode

MEDIA_TYPE: Final = "text/event-stream"
_PING_SECONDS: Final = 15


def wanted(request: Request) -> bool:
    """Tell whether the client asks for a stream."""
    return MEDIA_TYPE in request.headers.get("accept", "")


def frame(event: str, data: Any, event_id: str | None = None) -> ServerSentEvent:
    """Make one event with JSON data."""
    return ServerSentEvent(encode(data), event=event, id=event_id)


def response(frames: AsyncIterator[ServerSentEvent], headers: dict[str, str] | None = None) -> EventSourceResponse:
    """Stream frames, unbuffered by proxies and kept in no cache."""
    return EventSourceResponse(
        frames, ping=_PING_SECONDS, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"} | (headers or {})
    )
