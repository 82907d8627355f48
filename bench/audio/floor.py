"""The floor of an upload: an HTTP server that writes what it gets to a disk, and does nothing else."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

FOLDER = Path(os.environ.get("FLOOR_FOLDER", "."))


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    path = FOLDER / str(uuid4())
    with path.open("wb") as file:
        more = True
        while more:
            message = await receive()
            file.write(message.get("body", b""))
            more = message.get("more_body", False)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
