"""An answer's head leaves together with its body: uvicorn writes them one by one, and each wakes the client."""

import asyncio
from typing import Any, Final

_HEAD: Final = b"HTTP/1.1 "


class HeadWithBody:
    """Stands for a transport; keeps a head back until what follows it is written, for one turn of the loop at most."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Write, or keep for the next call."""
        if self._head is None and data.startswith(_HEAD):
            self._head = data
            asyncio.get_running_loop().call_soon(self._let_go)
            return
        head, self._head = self._head, None
        self._transport.write(data if head is None else head + data)

    def close(self) -> None:
        """Write what is kept, and close."""
        self._let_go()
        self._transport.close()

    def _let_go(self) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def joining(protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, with such a transport."""

    class Joining(protocol):  # type: ignore[misc, valid-type]  # whichever of them is installed
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(HeadWithBody(transport))

    return Joining
