"""Files as answers: what was lent is sent, whole or a range of it."""

from typing import Any, Final

from starlette.responses import FileResponse

from server.audio.listening import Lent


def _binary(kind: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"content": {f"{kind}/*": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "A range of it"},
        416: {"description": "There is no such range"},
    }


SOUND: Final = _binary("audio")
IMAGE: Final = _binary("image")


def sent(lent: Lent) -> FileResponse:
    """Return the answer that sends a file to its owner."""
    headers = {
        # What strangers made is played or shown, and never opened as a page.
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "inline",
        "Cache-Control": "private, no-cache",
    }
    return FileResponse(lent.path, media_type=lent.media_type, headers=headers)
