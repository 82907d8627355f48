"""The servers' catalogue with its mirror in the database, where an operator can switch a tool off (G19)."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg
import structlog

from db.database import Pool
from server.interpret import tool_repository
from tools.mcp.model import Answers, InputNeeded, Tool, ToolHub, ToolResult, UnknownTool

log = structlog.get_logger(__name__)

# How long a switch may take to be seen.
DISABLED_SECONDS: Final = 3.0


class ToolMirror:
    """A hub whose tools are written to `interpret.tools`, and which hides those that are not `enabled` there.

    Args:
        hub: the plugged-in servers.
        pool: the system role's: what servers offer is no user's to write.
        seconds: how long the disabled tools' names are believed.
    """

    def __init__(self, hub: ToolHub, pool: Pool, *, seconds: float = DISABLED_SECONDS) -> None:
        self._hub = hub
        self._pool = pool
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._mirrored: tuple[Tool, ...] = ()
        self._disabled: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    async def tools(self) -> tuple[Tool, ...]:
        """Return the enabled tools of all servers that can be reached."""
        found = await self._hub.tools()
        if found != self._mirrored:
            await self._mirror(found)
        disabled = await self._switched_off()
        return tuple(tool for tool in found if tool.name not in disabled) if disabled else found

    async def find(self, name: str) -> Tool:
        """Return a tool as it is now.

        Raises:
            UnknownTool: there is none of that name, or it is switched off.
            ToolUnreachable: its server is known, and down.
        """
        await self._check(name)
        return await self._hub.find(name)

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, call_id: str, answers: Answers | None = None
    ) -> ToolResult | InputNeeded:
        """Call a tool, as the hub does.

        Raises:
            UnknownTool: there is no such tool, or it is switched off.
            InvalidArguments: the arguments do not fit its schema; nothing was sent.
            ToolUnreachable: its server cannot be reached.
            ToolTimedOut: no answer within the limit.
        """
        await self._check(name)
        return await self._hub.call(name, arguments, call_id=call_id, answers=answers)

    async def _check(self, name: str) -> None:
        if name in await self._switched_off():
            raise UnknownTool

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

    async def _switched_off(self) -> frozenset[str]:
        if time.monotonic() - self._read_at < self._seconds:
            return self._disabled
        async with self._lock:
            if time.monotonic() - self._read_at >= self._seconds:
                began = time.monotonic()
                async with self._pool.connection() as connection:
                    self._disabled = await tool_repository.disabled(connection)
                self._read_at = began
            return self._disabled
