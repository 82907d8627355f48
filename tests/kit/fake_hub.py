"""A hub whose tools are functions of this process, and which notes the calls that reach it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tools.mcp.arguments import problems
from tools.mcp.model import Answers, InputNeeded, InvalidArguments, Tool, ToolResult, UnknownTool

Given = Mapping[str, Any]
Behaviour = Callable[[Given, Answers | None], ToolResult | InputNeeded]


@dataclass(frozen=True)
class Called:
    """A call that reached a tool."""

    name: str
    arguments: Given
    call_id: str
    answers: Answers | None


def text(value: str) -> ToolResult:
    return ToolResult(content=({"type": "text", "text": value},))


class FakeHub:
    """`tools.mcp.model.ToolHub` without servers."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}
        self._behaviours: dict[str, Behaviour] = {}
        self.called: list[Called] = []

    def add(
        self,
        name: str,
        behaviour: Behaviour,
        properties: Mapping[str, Any] | None = None,
        *,
        read_only: bool = False,
        destructive: bool = True,
        idempotent: bool = False,
    ) -> None:
        schema = {"type": "object", "properties": dict(properties or {}), "required": list(properties or {})}
        self._tools[name] = Tool(
            name=name,
            server="fake",
            own_name=name,
            description=f"{name} things",
            input_schema=schema,
            read_only=read_only,
            destructive=destructive,
            idempotent=idempotent,
        )
        self._behaviours[name] = behaviour

    def change(self, name: str, **fields: Any) -> None:
        """Let a tool be another one from now on."""
        self._tools[name] = replace(self._tools[name], **fields)

    def remove(self, name: str) -> None:
        del self._tools[name]

    @property
    def names(self) -> list[str]:
        return [call.name for call in self.called]

    async def tools(self) -> tuple[Tool, ...]:
        return tuple(self._tools.values())

    async def find(self, name: str) -> Tool:
        if name not in self._tools:
            raise UnknownTool
        return self._tools[name]

    async def call(
        self, name: str, arguments: Given, *, call_id: str, answers: Answers | None = None
    ) -> ToolResult | InputNeeded:
        tool = await self.find(name)
        if found := problems(tool.input_schema, arguments):
            raise InvalidArguments(found)
        self.called.append(Called(name, arguments, call_id, answers))
        return self._behaviours[name](arguments, answers)
