"""A server as a child process: one JSON message a line, in both directions, of bounded length.

The library's own transport keeps a line of any length in memory, at a cost that grows with its square; the rest is done
as there: closing the input is the request to end, then come SIGTERM and SIGKILL for the whole process group.
"""

import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from typing import Final, TextIO

import anyio
import structlog
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import StdioServerParameters
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp.types import INTERNAL_ERROR, ErrorData, JSONRPCError
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

log = structlog.get_logger(__name__)

MESSAGE_LIMIT_BYTES: Final = 16 * 1024 * 1024
TOO_LARGE: Final = "The answer is larger than 16 MiB."
NOT_UNDERSTOOD: Final = "The answer is no valid message of the protocol."
# At each step of ending: to flush, to end by itself, after SIGTERM, after SIGKILL.
_FLUSH_SECONDS: Final = 0.5
_GRACE_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.01
# Where the id stands in a message that cannot be read: it comes first from some servers, last from others.
_ENDS: Final = 256
_FIRST_ID: Final = re.compile(rb'^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d+)\s*,')
_LAST_ID: Final = re.compile(rb'"id"\s*:\s*(\d+)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')
# A request of the server's has an id too, but not one of ours.
_RESPONSE: Final = re.compile(rb'^\s*\{.{0,64}?"(?:result|error)"\s*:')
_GONE: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)

Item = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Item], MemoryObjectSendStream[SessionMessage]]


@contextlib.asynccontextmanager
async def running(parameters: StdioServerParameters, stderr: TextIO) -> AsyncIterator[Streams]:
    """Start the program and speak with it; it and its descendants are gone when the block is left.

    Raises:
        OSError: it cannot be started.
    """
    process = await anyio.open_process(
        [parameters.command, *parameters.args],
        env=get_default_environment() | (parameters.env or {}),
        cwd=parameters.cwd,
        stderr=stderr,
        start_new_session=True,
    )
    # No await before the task group: a cancellation in between would leave the process alone.
    to_us, incoming = anyio.create_memory_object_stream[Item](0)
    outgoing, from_us = anyio.create_memory_object_stream[SessionMessage](0)
    written = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(_read, process, to_us)
        group.start_soon(_write, process, from_us, to_us, written)
        try:
            yield incoming, outgoing
        finally:
            with anyio.CancelScope(shield=True):
                incoming.close()
                outgoing.close()
                with anyio.move_on_after(_FLUSH_SECONDS):
                    await written.wait()
                await _end(process)
            group.cancel_scope.cancel()


async def _read(process: Process, to_us: MemoryObjectSendStream[Item]) -> None:
    lines = _Lines()
    async with to_us:
        with contextlib.suppress(*_GONE):
            async for chunk in _stdout(process):
                for item in lines.feed(chunk):
                    await to_us.send(item)
    # The other side has left: what still comes is thrown away, so that the server can end.
    with contextlib.suppress(*_GONE):
        async for _chunk in _stdout(process):
            pass


async def _write(
    process: Process,
    from_us: MemoryObjectReceiveStream[SessionMessage],
    to_us: MemoryObjectSendStream[Item],
    written: anyio.Event,
) -> None:
    assert process.stdin is not None  # noqa: S101 - opened with a pipe
    try:
        async with from_us:
            async for item in from_us:
                text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                await process.stdin.send(text.encode() + b"\n")
    except _GONE:
        # It may live on; but a server that hears nothing will not answer.
        await to_us.aclose()
    finally:
        written.set()


class _Lines:
    """Puts chunks together to messages; of one that is too long, only its ends are kept."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._head = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> list[Item]:
        """Return the messages that end in this chunk."""
        items: list[Item] = []
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._add(end)
            items += self._finish()
        self._add(rest)
        return items

    def _add(self, part: bytes) -> None:
        self._line += part
        if not self._skipping and len(self._line) > MESSAGE_LIMIT_BYTES:
            self._skipping = True
            self._head = bytes(self._line[:_ENDS])
        if self._skipping:
            self._line = self._line[-_ENDS:]

    def _finish(self) -> list[Item]:
        line, self._line = bytes(self._line), bytearray()
        if self._skipping:
            self._skipping = False
            log.warning("mcp_message_too_large")
            return _refused(self._head, line, TOO_LARGE)
        if not line.strip():
            return []
        try:
            return [SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))]
        except ValidationError:
            # Often a program that prints to the wrong place; what it says is not for the log.
            log.debug("mcp_line_not_understood", length=len(line))
            return _refused(line[:_ENDS], line[-_ENDS:], NOT_UNDERSTOOD)


def _refused(head: bytes, tail: bytes, reason: str) -> list[Item]:
    """Answer the request of ours whose response cannot be used, so that nobody waits for it."""
    found = (_FIRST_ID.search(head) or _LAST_ID.search(tail)) if _RESPONSE.search(head) else None
    if found is None:
        return []
    error = ErrorData(code=INTERNAL_ERROR, message=reason)
    return [SessionMessage(JSONRPCError(jsonrpc="2.0", id=int(found[1]), error=error))]


def _stdout(process: Process) -> ByteReceiveStream:
    assert process.stdout is not None  # noqa: S101 - opened with a pipe
    return process.stdout


async def _end(process: Process) -> None:
    if process.stdin is not None:
        with contextlib.suppress(*_GONE):
            await process.stdin.aclose()
    if not await _has_ended(process):
        _signal(process, signal.SIGTERM)
        await _has_ended(process)
    # What it started itself goes too.
    _signal(process, signal.SIGKILL)
    if not await _has_ended(process):
        log.warning("mcp_process_left", pid=process.pid)
    with contextlib.suppress(*_GONE):
        await _stdout(process).aclose()


async def _has_ended(process: Process) -> bool:
    """Look again and again: waiting for a process waits for its pipes too, which a descendant may hold."""
    with anyio.move_on_after(_GRACE_SECONDS):
        while process.returncode is None:  # noqa: ASYNC110 - there is no event for this alone
            await anyio.sleep(_POLL_SECONDS)
    return process.returncode is not None


def _signal(process: Process, number: signal.Signals) -> None:
    # Started in a session of its own: the group has the leader's number, also after its end.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
