"""Recordings within the request itself, as base64."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


class InlineAudio:
    """Lends a file as `{"type": "audio", "base64", "mime_type"}`, which LangChain's clients put into the request.

    Args:
        names: the media types that may be sent as they are, each with the vendor's name of it.
        most_bytes: of a file.
        turns: how many are held at once; each takes about five times its size until it is sent.
        prefix: what the vendor wants before the base64.
    """

    def __init__(
        self, names: Mapping[str, str], most_bytes: int, turns: asyncio.Semaphore, *, prefix: str = ""
    ) -> None:
        self._names = names
        self._most_bytes = most_bytes
        self._turns = turns
        self._prefix = prefix

    @property
    def media_types(self) -> frozenset[str]:
        """The media types that may be sent as they are."""
        return frozenset(self._names)

    @property
    def most_bytes(self) -> int:
        """The largest file that can be lent."""
        return self._most_bytes

    def named(self, media_type: str) -> str:
        """Return the vendor's name of a media type."""
        return self._names.get(media_type, media_type)

    @asynccontextmanager
    async def attached(self, path: Path, media_type: str) -> AsyncIterator[dict[str, Any]]:
        """Lend a file, when it is its turn."""
        async with self._turns:
            encoded = await asyncio.to_thread(_encoded, path, self._prefix)
            yield {"type": "audio", "base64": encoded, "mime_type": self.named(media_type)}


def _encoded(path: Path, prefix: str) -> str:
    return prefix + b64encode(path.read_bytes()).decode("ascii")
