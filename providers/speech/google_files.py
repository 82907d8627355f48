"""Gemini's Files API (https://ai.google.dev/api/files): upload, wait until it can be used, delete.

Google's own client is not used for this: where an upload is answered with an error it sleeps on the event loop
(google-genai 2.34, `_async_upload_fd`), for seven seconds in all.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog
from google.genai.errors import APIError

from providers.answers import BrokenAnswer

_GOOGLE: Final = "https://generativelanguage.googleapis.com"
_CHUNK: Final = 256 * 1024
_TIMEOUT: Final = httpx.Timeout(60, connect=10)
# Sound is ready within a few seconds, as a rule at once.
_PATIENCE_SECONDS: Final = 120.0
_LONGEST_PAUSE: Final = 4.0
_DELETIONS: Final = 3

log = structlog.get_logger(__name__)


class GoogleFiles:
    """Files of one API key.

    Args:
        key: is sent as `x-goog-api-key`.
        base_url: in place of Google's own.
        pause: seconds between two looks at a file that is not ready, at first.
    """

    def __init__(self, key: str, base_url: str | None, *, pause: float = 0.5) -> None:
        self._base = (base_url or _GOOGLE).rstrip("/")
        self._key = key
        self._pause = pause
        self._client: httpx.AsyncClient | None = None
        self._making = asyncio.Lock()

    async def upload(self, name: str, path: Path, media_type: str) -> str:
        """Upload a file under a name of ours (`files/…`) and return its address, when it can be used.

        Raises:
            APIError: Google refused it.
            BrokenAnswer: an answer has not the form of one, or Google could not process the file.
            httpx.HTTPError: the connection failed.
            TimeoutError: it took too long to be ready.
        """
        size = (await asyncio.to_thread(path.stat)).st_size
        begun = await self._request(
            "POST",
            "/upload/v1beta/files",
            json={"file": {"name": name}},
            headers={
                "x-goog-upload-protocol": "resumable",
                "x-goog-upload-command": "start",
                "x-goog-upload-header-content-length": str(size),
                "x-goog-upload-header-content-type": media_type,
            },
        )
        ended = await self._request(
            "POST",
            _place(begun.headers.get("x-goog-upload-url", "")),
            content=_chunks(path),
            headers={
                "content-length": str(size),
                "x-goog-upload-offset": "0",
                "x-goog-upload-command": "upload, finalize",
            },
        )
        return await self._ready(name, _object(ended).get("file"))

    async def _ready(self, name: str, file: Any) -> str:
        pause = self._pause
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                state, uri = (file.get("state"), file.get("uri")) if isinstance(file, dict) else (None, None)
                if state == "ACTIVE" and isinstance(uri, str):
                    return uri
                if state != "PROCESSING":
                    raise BrokenAnswer("The file was not accepted.")
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                file = _object(await self._request("GET", f"/v1beta/{name}"))

    async def delete(self, name: str) -> None:
        """Delete a file; one that is not there is no error, and what is left Google deletes after two days."""
        for attempt in range(1, _DELETIONS + 1):
            try:
                await self._request("DELETE", f"/v1beta/{name}")
            except APIError as error:
                # Google answers 403 for a name that it does not know.
                if error.code in (403, 404):
                    return
                failure: Exception = error
            except httpx.HTTPError as error:
                failure = error
            else:
                return
            log.warning("uploaded_file_not_deleted", attempt=attempt, error=type(failure).__name__)
            if attempt < _DELETIONS:
                await asyncio.sleep(self._pause * attempt)

    async def _request(self, method: str, path: str, **sent: Any) -> httpx.Response:
        headers = {"x-goog-api-key": self._key, **sent.pop("headers", {})}
        client = await self._opened()
        response = await client.request(method, self._base + path, headers=headers, **sent)
        if not response.is_success:
            await APIError.raise_for_async_response(response)
        return response

    async def _opened(self) -> httpx.AsyncClient:
        async with self._making:
            if self._client is None:
                # Making a client reads certificates.
                self._client = await asyncio.to_thread(httpx.AsyncClient, timeout=_TIMEOUT)
        return self._client

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()


def _place(address: str) -> str:
    """Return where to upload to, at the host that is configured: recordings go nowhere else, whatever an answer says.

    Raises:
        BrokenAnswer: the address names no place. What does not begin with a slash would be a part of the host's name.
    """
    try:
        found = urlsplit(address)
    except ValueError:
        raise BrokenAnswer("The answer's place to upload to is no address.") from None
    if not found.path.startswith("/"):
        raise BrokenAnswer("The answer names no place to upload to.")
    return f"{found.path}?{found.query}"


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
    finally:
        file.close()


def _object(response: httpx.Response) -> dict[str, Any]:
    found = response.json()
    if not isinstance(found, dict):
        raise BrokenAnswer("The answer is no object.")
    return found
