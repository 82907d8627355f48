"""What an operator lets happen without a person's confirmation (G17)."""

from collections.abc import Iterable
from dataclasses import dataclass

from tools.mcp.model import Tool


@dataclass(frozen=True)
class ToolPolicy:
    """The rules for all tool calls.

    Attributes:
        requires_confirm: whether each call needs an offer that a person confirmed; without, direct calls are allowed.
        runs_read_only: whether a plan of read-only tools alone is made at once.
    """

    requires_confirm: bool = True
    runs_read_only: bool = False

    def needs_nobody(self, tools: Iterable[Tool]) -> bool:
        """Tell whether calls of these tools may be made without asking anybody."""
        return self.runs_read_only and all(tool.read_only for tool in tools)
