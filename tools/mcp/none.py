"""A hub without servers."""

from collections.abc import Mapping
from typing import Any

from tools.mcp.model import Answers, InputNeeded, Tool, ToolResult, UnknownTool


class NoServers:
    """Offers no tool."""

    async def tools(self) -> tuple[Tool, ...]:
        """Return nothing."""
        return ()

    async def find(self, name: str) -> Tool:
        """Find nothing.

        Raises:
            UnknownTool: always.
        """
        raise UnknownTool

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, call_id: str, answers: Answers | None = None
    ) -> ToolResult | InputNeeded:
        """Call nothing.

        Raises:
            UnknownTool: always.
        """
        raise UnknownTool
