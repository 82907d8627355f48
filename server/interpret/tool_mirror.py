"""The servers' catalogue with its mirror in the database, where an operator can switch a tool off (G19)."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg
import structlog

from db.database import Pool
from server.interpret import tool_repository
from tools.mcp.model import Answers, InputNeeded, Tool, ToolHub, ToolResult

log = structlog.get_logger(__name__)

# How long a switch may take to be seen.
_BELIEVED_SECONDS: Final = 3.0


class SwitchedOff:
    """The names of the tools that are not `enabled` in `interpret.tools`; what a hub asks for as its `disabled`.

    Args:
        pool: the system role's.
        seconds: how long they are believed before they are read again.
    """

    def __init__(self, pool: Pool, *, seconds: float = _BELIEVED_SECONDS) -> None:
        self._pool = pool
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._names: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    async def __call__(self) -> frozenset[str]:
        """Return the names, read a moment ago at most; one reader at a time."""
        if self._is_old():
            async with self._lock:
                if self._is_old():
                    began = time.monotonic()
                    async with self._pool.connection() as connection:
                        self._names = await tool_repository.disabled(connection)
                    self._read_at = began
        return self._names

    def _is_old(self) -> bool:
        return time.monotonic() - self._read_at >= self._seconds


class ToolMirror:
    """A hub whose catalogue is written to `interpret.tools` whenever it has changed.

    Args:
        hub: the plugged-in servers.
        pool: the system role's: what servers offer is no user's to write.
    """

    def __init__(self, hub: ToolHub, pool: Pool) -> None:
        self._hub = hub
        self._pool = pool
        self._lock = asyncio.Lock()
        self._mirrored: tuple[Tool, ...] = ()

    async def tools(self) -> tuple[Tool, ...]:
        """Return the tools of all servers that can be reached."""
        found = await self._hub.tools()
        if found != self._mirrored:
            await self._mirror(found)
        return found

    async def find(self, name: str) -> Tool:
        """See `ToolHub.find`."""
        return await self._hub.find(name)

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, call_id: str, answers: Answers | None = None
    ) -> ToolResult | InputNeeded:
        """See `ToolHub.call`."""
        return await self._hub.call(name, arguments, call_id=call_id, answers=answers)

    async def _mirror(self, found: tuple[Tool, ...]) -> None:
        async with self._lock:
            if found == self._mirrored:
                return
            try:
                async with self._pool.connection() as connection:
                    await tool_repository.mirror(connection, found)
            except psycopg.Error as error:
                # The mirror is for operators: people go on without it, and the next look tries again.
                log.warning("tools_not_mirrored", error=type(error).__name__)
                return
            self._mirrored = found
