"""All servers' tools under names that are unique (G19, G20)."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from tools.mcp.listing import Listing
from tools.mcp.model import Disabled, Tool, UnknownTool
from tools.mcp.server import PluggedServer


class Catalogue:
    """The tools of all servers; what is known of a dead server is kept, so that names do not change when it dies."""

    def __init__(self, servers: Mapping[str, PluggedServer], disabled: Disabled) -> None:
        self._servers = servers
        self._disabled = disabled
        self._built_from: tuple[Listing | None, ...] = ()
        self._tools: dict[str, Tool] = {}
        self._by_qualified: dict[str, Tool] = {}

    async def tools(self) -> tuple[Tool, ...]:
        """Return the tools of all servers that are reachable, by name; waits a moment for those still connecting."""
        await self._settle()
        off = frozenset(await self._disabled())
        tools = self._named()
        return tuple(
            tools[name]
            for name in sorted(tools)
            if self._servers[tools[name].server].reachable and not _is_off(tools[name], off)
        )

    async def find(self, name: str) -> Tool:
        """Return a tool as its server describes it now, by its name or by `server.tool`.

        Raises:
            UnknownTool: there is none of that name, or it is switched off.
            ToolUnreachable: its server is down, and could not be connected to.
        """
        known = self._look_up(name) or await self._search(name)
        if known is None:
            raise UnknownTool
        await self._servers[known.server].refresh()
        found = self._look_up(name)
        if found is None or _is_off(found, frozenset(await self._disabled())):
            raise UnknownTool
        return found

    def server_of(self, name: str) -> str | None:
        """Return the name of the server that offers a tool, or did so when it was last seen."""
        known = self._look_up(name)
        return known.server if known else None

    def _look_up(self, name: str) -> Tool | None:
        return self._named().get(name) or self._by_qualified.get(name)

    async def _settle(self) -> None:
        """Refresh what needs it; wait for what may be ready in a moment, not for what has failed."""
        tasks = {task: server for server in self._servers.values() if (task := server.nudge()) is not None}
        waiting = {task for task, server in tasks.items() if server.awaited > 0}
        if waiting:
            await asyncio.wait(waiting, timeout=max(tasks[task].awaited for task in waiting))

    async def _search(self, name: str) -> Tool | None:
        """Wait for servers that nobody knows yet, and for new lists: the name may be theirs. Their limits bound it."""
        tasks = {task: server for server in self._servers.values() if (task := server.nudge()) is not None}
        pending = {task for task, server in tasks.items() if server.never_tried or server.awaited > 0}
        while pending:
            _done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if (found := self._look_up(name)) is not None:
                return found
        return self._look_up(name)

    def _named(self) -> dict[str, Tool]:
        listings = tuple(server.listing for server in self._servers.values())
        if len(listings) != len(self._built_from) or any(
            new is not old for new, old in zip(listings, self._built_from, strict=True)
        ):
            self._built_from = listings
            self._build([tool for listing in listings if listing for tool in listing.tools.values()])
        return self._tools

    def _build(self, tools: list[Tool]) -> None:
        shared = Counter(tool.own_name for tool in tools)
        self._by_qualified = {qualified(tool): tool for tool in tools}
        self._tools = {}
        for tool in tools:
            # A tool may be called like another one's qualified name.
            alone = shared[tool.own_name] == 1 and tool.own_name not in self._by_qualified
            name = tool.own_name if alone else qualified(tool)
            named = self._by_qualified[qualified(tool)] = replace(tool, name=name)
            self._tools[name] = named


def qualified(tool: Tool) -> str:
    """Return `server.tool`, which is unique: a server's name has no dot."""
    return f"{tool.server}.{tool.own_name}"


def _is_off(tool: Tool, off: frozenset[str]) -> bool:
    return not off.isdisjoint({tool.name, tool.own_name, qualified(tool)})
