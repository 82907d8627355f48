"""Hubs of servers for tests: the one for faults, and whatever else a test plugs in."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from tests.kit.processes import ROOT
from tools.mcp.configuration import ServerConfig, parse
from tools.mcp.hub import McpHub
from tools.mcp.limits import Limits
from tools.mcp.model import ToolResult

SCRIPT: Final = ROOT / "tests" / "projects" / "tool_servers" / "faults.py"
NPM: Final = ROOT / ".venv" / "tool-servers"
# A busy machine takes its time to start Python.
LIMITS: Final = Limits(call=20.0, connect=30.0, patience=20.0)


class FaultServer:
    """What the server for faults is told, and what it leaves behind."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.notes = directory / "notes"
        self.starts = directory / "starts"
        self.touched = directory / "touched"
        self.refusing = directory / "refusing"

    def config(self, **options: Any) -> dict[str, Any]:
        environment = {"NOTES": str(self.notes), "STARTS": str(self.starts), "TOUCHED": str(self.touched)}
        environment["REFUSING"] = str(self.refusing)
        environment |= options.pop("env", {})
        return {"command": sys.executable, "args": [str(SCRIPT)], "env": environment} | options

    def refuse(self) -> None:
        """From now on the program ends as soon as it is started."""
        self.refusing.touch()

    def welcome(self) -> None:
        """From now on it starts as usual."""
        self.refusing.unlink()

    def lines(self) -> list[str]:
        return self.notes.read_text(encoding="utf-8").splitlines() if self.notes.exists() else []

    def pids(self) -> list[int]:
        return [int(line) for line in self.starts.read_text().split()] if self.starts.exists() else []


def configs(servers: Mapping[str, Mapping[str, Any]]) -> dict[str, ServerConfig]:
    return parse(orjson.dumps({"mcpServers": servers}), os.environ)


@asynccontextmanager
async def plugged(limits: Limits = LIMITS, /, **servers: Mapping[str, Any]) -> AsyncIterator[McpHub]:
    """Open a hub of these servers."""
    async with McpHub(configs(servers), limits=limits) as hub:
        yield hub


async def result_of(hub: McpHub, name: str, **arguments: Any) -> ToolResult:
    """Call a tool that is expected to answer."""
    result = await hub.call(name, arguments, call_id="test")
    assert isinstance(result, ToolResult)
    return result


def npm_server(package: str, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Describe a server from npm, which `make test` has installed."""
    script = NPM / "node_modules" / "@modelcontextprotocol" / package / "dist" / "index.js"
    assert script.exists(), "the tool servers are not installed: make .venv/.installed-tool-servers"
    return {"command": str(NPM / "node"), "args": [str(script), *arguments], "env": dict(env or {})}
