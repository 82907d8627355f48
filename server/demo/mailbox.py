"""A gateway for login codes that keeps them: who is to read a code reads it here."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_SECONDS = 20.0


class Mailbox:
    """Codes by address. `url` is what `CODE_GATEWAY_URL` is set to."""

    def __init__(self) -> None:
        self.url = ""
        self._codes: asyncio.Queue[str] = asyncio.Queue()

    async def code(self) -> str:
        """Wait for the next code that is sent."""
        return await asyncio.wait_for(self._codes.get(), _SECONDS)

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request of the gateway's form, and accept it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(line for line in head.splitlines() if line.startswith("content-length:")).partition(":")[2]
        self._codes.put_nowait(str(json.loads(await reader.readexactly(int(length)))["code"]))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Open one on this machine."""
    opened = Mailbox()
    server = await asyncio.start_server(opened.receive, "127.0.0.1", 0)
    opened.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        yield opened
