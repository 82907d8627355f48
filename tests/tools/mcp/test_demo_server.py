"""The server that the README shows, plugged in as the README says."""

import asyncio
import sys
from pathlib import Path

from core.settings import Settings
from tests.kit.processes import ROOT
from tests.kit.tool_servers import plugged, result_of
from tools.mcp.environment import hub_from
from tools.mcp.hub import McpHub
from tools.mcp.model import ToolResult


async def test_the_script_of_the_settings_is_the_server_default() -> None:
    script = str(ROOT / "examples" / "mcp" / "demo_server.py")
    settings = Settings.load({"MCP_SCRIPT_PATH": script}, dotenv=None)
    hub = await asyncio.to_thread(hub_from, settings)
    assert isinstance(hub, McpHub)
    async with hub:
        result = await hub.call("add", {"a": 2, "b": 3}, call_id="1")
        tools = {tool.name: tool for tool in await hub.tools()}
    assert isinstance(result, ToolResult)
    assert result.structured == {"result": 5}
    assert {name: (tool.server, tool.repeatable, tool.destructive) for name, tool in tools.items()} == {
        "add": ("default", True, False),
        "append_line": ("default", False, False),
        "list_notes": ("default", True, False),
        "clear_notes": ("default", True, True),
    }


async def test_notes_are_kept(tmp_path: Path) -> None:
    script = str(ROOT / "examples" / "mcp" / "demo_server.py")
    environment = {"NOTES_FILE": str(tmp_path / "notes.txt")}
    async with plugged(demo={"command": sys.executable, "args": [script], "env": environment}) as hub:
        await result_of(hub, "append_line", text="买牛奶")
        await result_of(hub, "append_line", text="two\nlines")
        assert (await result_of(hub, "list_notes")).structured == {"result": ["买牛奶", "two lines"]}
        await result_of(hub, "clear_notes")
        assert (await result_of(hub, "list_notes")).structured == {"result": []}
