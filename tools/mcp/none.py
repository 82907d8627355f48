"""A hub without servers."""

from collections.abc import Mapping
from typing import Any

from tools.mcp.model import Answers, InputNeeded, ServerHealth, Tool, ToolResult, UnknownTool


class NoServers:
    """Implements `OpenToolHub`: offers no tool."""

    def start(self) -> None:
        """Connect to nobody."""

    async def close(self) -> None:
        """Close nothing."""

    def health(self) -> tuple[ServerHealth, ...]:
        """Return nothing."""
        return ()

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
