"""What a server prints on its standard error goes to our log at debug, bounded."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from typing import Final, TextIO

import structlog

log = structlog.get_logger(__name__)

_LINE_BYTES: Final = 500
_CHUNK_BYTES: Final = 64 * 1024
_LINES_PER_WINDOW: Final = 100
_WINDOW_SECONDS: Final = 60.0


@contextlib.asynccontextmanager
async def logged_stderr(server: str) -> AsyncIterator[TextIO]:
    """Give a file for a child's standard error; it is read until all copies of it are closed, or the block is left.

    It is always read, also where the log has had enough: a child whose pipe is full stands still.
    """
    reading, writing = os.pipe()
    source = os.fdopen(reading, "rb", buffering=0)
    sink = os.fdopen(writing, "w", encoding="utf-8")
    reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
    try:
        transport, _protocol = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), source
        )
    except BaseException:
        source.close()
        sink.close()
        raise
    task = asyncio.create_task(_log_lines(reader, server))
    try:
        yield sink
    finally:
        sink.close()
        transport.close()
        task.cancel()


async def _log_lines(reader: asyncio.StreamReader, server: str) -> None:
    rest = b""
    window, lines = time.monotonic(), 0
    while chunk := await reader.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LINE_BYTES]
        if time.monotonic() - window >= _WINDOW_SECONDS:
            window, lines = time.monotonic(), 0
        for line in whole[: _LINES_PER_WINDOW - lines]:
            log.debug("mcp_server_stderr", server=server, line=line[:_LINE_BYTES].decode("utf-8", "replace").rstrip())
        lines = min(lines + len(whole), _LINES_PER_WINDOW)
