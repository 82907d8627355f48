"""A tool server whose list has three pages, some tools out of bounds; with ENDLESS set there is no last page.

Its tools answer with their names, but `two` breaks its output schema, and `three` wants to be called three times.
"""

import asyncio
import os
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

ANYTHING: dict[str, Any] = {"type": "object"}
NUMBER: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
HUGE: dict[str, Any] = {"type": "object", "description": "x" * 100_000}
PAGES = [
    [Tool(name="one", description="d" * 10_000, input_schema=ANYTHING), Tool(name="bad\nname", input_schema=ANYTHING)],
    [Tool(name="two", input_schema=ANYTHING, output_schema=NUMBER), Tool(name="huge_schema", input_schema=HUGE)],
    [Tool(name="three", input_schema=ANYTHING), Tool(name="n" * 200, input_schema=ANYTHING)],
]


async def list_tools(_context: ServerRequestContext[Any], params: PaginatedRequestParams | None) -> ListToolsResult:
    page = int(params.cursor) if params and params.cursor else 0
    more = page + 1 < len(PAGES) or "ENDLESS" in os.environ
    return ListToolsResult(tools=PAGES[page % len(PAGES)], next_cursor=str(page + 1) if more else None)


async def call_tool(
    _context: ServerRequestContext[Any], params: CallToolRequestParams
) -> CallToolResult | InputRequiredResult:
    if params.name == "two":
        return CallToolResult(content=[TextContent(text="two")], structured_content={"n": "not a number"})
    if params.name == "three" and len(params.request_state or "") < 2:
        return InputRequiredResult(request_state="x" + (params.request_state or ""))
    return CallToolResult(content=[TextContent(text=params.name)])


async def main() -> None:
    server = Server("paged", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
