"""A lean HTTP client: the machine's cores belong to what is measured."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import orjson


class Client:
    """One connection that is kept open, for one request at a time."""

    def __init__(self, address: str, key: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = f"host: {self._host}\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n"
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=2**24)
        return self

    def close(self) -> None:
        self._writer.close()

    async def get(self, path: str, *, status: str = "2") -> Any:
        """Return an answer's JSON; its status has to begin with `status`."""
        return orjson.loads(b"".join([chunk async for chunk in self._answer(f"GET {path}", b"", status)]))

    async def post(self, path: str, body: Any) -> Any:
        """Send JSON and return the answer's."""
        data = b"".join([chunk async for chunk in self.stream(path, body)])
        return orjson.loads(data)

    def stream(self, path: str, body: Any) -> AsyncIterator[bytes]:
        """Send JSON and yield the answer as it comes."""
        return self._answer(f"POST {path}", orjson.dumps(body))

    async def _answer(self, request: str, data: bytes, status: str = "2") -> AsyncIterator[bytes]:
        self._writer.write(f"{request} HTTP/1.1\r\n{self._head}content-length: {len(data)}\r\n\r\n".encode() + data)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        if not head.startswith(f"http/1.1 {status}"):
            raise RuntimeError(head + (await self._reader.read(1000)).decode())
        if "transfer-encoding: chunked" not in head:
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            yield await self._reader.readexactly(length)
            return
        while size := int((await self._reader.readuntil(b"\r\n")), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
