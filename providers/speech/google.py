"""Recordings for Gemini: small ones within the request, larger ones by its Files API."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from providers.speech.google_files import GoogleFiles
from providers.speech.inline import InlineAudio


class GoogleAudio:
    """Lends a file inline, or uploads it and lends its address; an uploaded file is deleted afterwards.

    Args:
        inline: how small files are lent; what it takes as it is, is taken as it is here too.
        files: where larger ones are uploaded.
        most_bytes: of a file that is uploaded.
        new_name: makes the part of a file's name at Google that is ours: at most 40 lower-case letters and digits.
    """

    def __init__(
        self,
        inline: InlineAudio,
        files: GoogleFiles,
        most_bytes: int,
        *,
        new_name: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._inline = inline
        self._files = files
        self._most_bytes = most_bytes
        self._new_name = new_name
        self._deletions: set[asyncio.Task[None]] = set()

    @property
    def media_types(self) -> frozenset[str]:
        """The media types that may be sent as they are."""
        return self._inline.media_types

    @property
    def most_bytes(self) -> int:
        """The largest file that can be lent."""
        return self._most_bytes

    @asynccontextmanager
    async def attached(self, path: Path, media_type: str) -> AsyncIterator[dict[str, Any]]:
        """Lend a file; see `GoogleFiles.upload` for what an upload raises."""
        if (await asyncio.to_thread(path.stat)).st_size <= self._inline.most_bytes:
            async with self._inline.attached(path, media_type) as block:
                yield block
            return
        kind = self._inline.named(media_type)
        # The name is ours, so that the file can be deleted although the answer to its upload was never read.
        name = f"files/{self._new_name()}"
        try:
            uri = await self._files.upload(name, path, kind)
            yield {"type": "file", "file_id": uri, "mime_type": kind}
        finally:
            await self._deleted(name)

    async def _deleted(self, name: str) -> None:
        # Whoever is cancelled here does not take the deletion along.
        deletion = asyncio.create_task(self._files.delete(name))
        self._deletions.add(deletion)
        deletion.add_done_callback(self._deletions.discard)
        await asyncio.shield(deletion)

    async def aclose(self) -> None:
        """Wait for deletions, then close the connections."""
        await asyncio.gather(*self._deletions, return_exceptions=True)
        await self._files.aclose()
