"""A lean HTTP client: the machine's cores belong to what is measured, and the time to the server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import orjson

_HEAD_ENDS = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Client(asyncio.Protocol):
    """One connection that is kept open, for one request at a time."""

    def __init__(self, address: str, key: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = f"host: {self._host}\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n"
        self._transport: asyncio.Transport
        self._got = bytearray()
        self._news: asyncio.Future[None] | None = None

    async def open(self) -> "Client":
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, self._host, self._port)
        return self

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Keep what comes, and wake who waits for it."""
        self._got += data
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let nobody wait for more."""
        if self._news is not None and not self._news.done():
            self._news.set_exception(exc or ConnectionResetError("the server closed the connection"))

    async def get(self, path: str, *, status: str = "2") -> Any:
        """Return an answer's JSON; its status has to begin with `status`."""
        return orjson.loads(b"".join([chunk async for chunk in self._answer(f"GET {path}", b"", status)]))

    async def post(self, path: str, body: Any) -> Any:
        """Send JSON and return the answer's."""
        return orjson.loads(b"".join([chunk async for chunk in self.stream(path, body)]))

    def stream(self, path: str, body: Any) -> AsyncIterator[bytes]:
        """Send JSON and yield the answer as it comes."""
        return self._answer(f"POST {path}", orjson.dumps(body))

    async def _answer(self, request: str, data: bytes, status: str = "2") -> AsyncIterator[bytes]:
        self._transport.write(f"{request} HTTP/1.1\r\n{self._head}content-length: {len(data)}\r\n\r\n".encode() + data)
        head = (await self._until(_HEAD_ENDS)).lower()
        if not head.startswith(b"http/1.1 " + status.encode()):
            raise RuntimeError((head + self._got).decode())
        length = head.partition(_LENGTH)[2].partition(b"\r\n")[0]
        if length:
            yield await self._exactly(int(length))
            return
        while size := int(await self._until(b"\r\n"), 16):
            yield (await self._exactly(size + 2))[:-2]
        await self._exactly(2)

    async def _until(self, end: bytes) -> bytes:
        while (place := self._got.find(end)) < 0:
            await self._more()
        return self._taken(place + len(end))

    async def _exactly(self, size: int) -> bytes:
        while len(self._got) < size:
            await self._more()
        return self._taken(size)

    async def _more(self) -> None:
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._got[:size])
        del self._got[:size]
        return taken
