"""A hub of what the settings name."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from core.settings import Settings
from tools.mcp.configuration import load
from tools.mcp.model import (
    Answers,
    Disabled,
    InputNeeded,
    Observer,
    OpenToolHub,
    Tool,
    ToolResult,
    none_disabled,
)
from tools.mcp.none import NoServers

_MILLISECONDS: Final = 1000


def hub_from(
    settings: Settings, *, disabled: Disabled = none_disabled, observer: Observer | None = None
) -> OpenToolHub:
    """Return a hub of the servers that the settings name; nothing is started yet. Blocking: it reads files.

    Raises:
        SettingsError: a setting cannot be used.
    """
    servers = load(settings)
    if not servers:
        return NoServers()
    # The protocol's library takes a third of a second to import.
    from tools.mcp.hub import McpHub  # noqa: PLC0415
    from tools.mcp.limits import Limits  # noqa: PLC0415

    limits = Limits(
        call=settings.mcp_timeout_ms / _MILLISECONDS,
        retries=settings.mcp_max_retry,
        output_bytes=settings.mcp_output_limit_bytes,
    )
    return McpHub(servers, limits=limits, disabled=disabled, observer=observer)


class EnvironmentHub:
    """The servers that the environment names, plugged in at the first question: for LangGraph Studio and unit tests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._hub: OpenToolHub | None = None

    async def tools(self) -> tuple[Tool, ...]:
        """See `ToolHub.tools`."""
        return await (await self._opened()).tools()

    async def find(self, name: str) -> Tool:
        """See `ToolHub.find`."""
        return await (await self._opened()).find(name)

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, call_id: str, answers: Answers | None = None
    ) -> ToolResult | InputNeeded:
        """See `ToolHub.call`."""
        return await (await self._opened()).call(name, arguments, call_id=call_id, answers=answers)

    async def _opened(self) -> OpenToolHub:
        async with self._lock:
            if self._hub is None:
                # The list of servers may stand in a file.
                self._hub = await asyncio.to_thread(hub_from, self._settings)
                self._hub.start()
            return self._hub
