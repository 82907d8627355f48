"""A head goes with its body, in one write, and never gets lost."""

import asyncio

from server.writes import HeadWithBody

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Socket(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told.append(bytes(data))

    def close(self) -> None:
        self.told.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.told


async def test_head_and_body_are_one_write() -> None:
    socket = Socket()
    transport = HeadWithBody(socket)
    transport.write(HEAD)
    transport.write(b"body")
    transport.write(b"more")
    await asyncio.sleep(0)
    assert socket.told == [HEAD + b"body", b"more"]


async def test_a_head_does_not_wait_for_what_comes_later() -> None:
    socket = Socket()
    transport = HeadWithBody(socket)
    transport.write(HEAD)
    await asyncio.sleep(0)
    assert socket.told == [HEAD]
    transport.write(b"first event")
    assert socket.told == [HEAD, b"first event"]


async def test_two_heads_in_one_turn_stay_in_order() -> None:
    socket = Socket()
    transport = HeadWithBody(socket)
    transport.write(HEAD)
    transport.write(HEAD)
    await asyncio.sleep(0)
    assert b"".join(socket.told) == HEAD + HEAD


async def test_a_head_alone_leaves_before_the_end() -> None:
    socket = Socket()
    transport = HeadWithBody(socket)
    transport.write(HEAD)
    transport.close()
    assert socket.told == [HEAD, b"closed"]
    assert transport.is_closing()
