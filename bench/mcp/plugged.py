"""The hub against the SDK's own session on the same server, in turns, in the same run."""

import sys
from collections.abc import Sequence
from typing import Any, Final

from mcp import Client, StdioServerParameters

from bench.mcp.rates import Call, Rate, rate, show
from tests.kit.processes import ROOT
from tests.kit.tool_servers import LIMITS, configs
from tools.mcp.hub import McpHub
from tools.mcp.model import ToolResult

SERVER: Final[dict[str, Any]] = {
    "command": sys.executable,
    "args": [str(ROOT / "examples" / "mcp" / "demo_server.py")],
}
CALLERS: Final = (1, 50)
_ROUNDS: Final = 3


async def measure(calls: int) -> None:
    """Print calls a second of one caller and of 50, through the hub and through the bare session."""
    servers = {"demo": SERVER | {"maxConcurrency": max(CALLERS)}}
    async with (
        Client(StdioServerParameters(command=SERVER["command"], args=SERVER["args"])) as client,
        McpHub(configs(servers), limits=LIMITS) as hub,
    ):
        await client.list_tools()
        await hub.tools()

        async def bare(number: int) -> object:
            return await client.session.call_tool("add", {"a": number, "b": 1})

        async def through_hub(number: int) -> object:
            result = await hub.call("add", {"a": number, "b": 1}, call_id=str(number))
            assert isinstance(result, ToolResult)
            assert result.structured == {"result": number + 1}
            return result

        for callers in CALLERS:
            floor, found = await in_turns((bare, through_hub), callers, calls)
            show(f"bare session, {callers} at once", floor)
            show(f"hub, {callers} at once", found, floor)


async def in_turns(ways: Sequence[Call], callers: int, calls: int) -> list[Rate]:
    """Measure each way in turns, so that a busy moment of the machine hits all; give each one's median round."""
    rounds = [[await rate(way, callers, calls) for way in ways] for _round in range(_ROUNDS)]
    return [sorted(found, key=lambda each: each.rate)[_ROUNDS // 2] for found in zip(*rounds, strict=True)]
