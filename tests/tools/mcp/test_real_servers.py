"""Servers that others wrote, from PyPI and npm: older protocol versions, other languages, pushed elicitation."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.kit.processes import ROOT
from tests.kit.tool_servers import LIMITS, npm_server, plugged, result_of
from tools.mcp.hub import McpHub
from tools.mcp.model import InvalidArguments

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real")
    (path / "letter.txt").write_text("你好，世界\n", encoding="utf-8")
    repository = path / "repository"
    repository.mkdir()
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    (repository / "file.txt").write_text("first\n")
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "The beginning"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(directory: Path) -> AsyncIterator[McpHub]:
    repository = str(directory / "repository")
    servers: dict[str, dict[str, Any]] = {
        "clock": {"command": sys.executable, "args": ["-m", "mcp_server_time", "--local-timezone", "Asia/Shanghai"]},
        "git": {"command": sys.executable, "args": ["-m", "mcp_server_git", "--repository", repository]},
        "everything": npm_server("server-everything", "stdio"),
        "files": npm_server("server-filesystem", str(directory)),
        "memory": npm_server("server-memory", env={"MEMORY_FILE_PATH": str(directory / "memory.jsonl")}),
    }
    async with plugged(LIMITS, **servers) as opened:
        await opened.tools()
        yield opened


async def test_all_of_them_are_there(hub: McpHub) -> None:
    assert {health.name: (health.reachable, health.error) for health in hub.health()} == dict.fromkeys(
        ("clock", "git", "everything", "files", "memory"), (True, None)
    )
    names = {tool.name for tool in await hub.tools()}
    assert {"convert_time", "git_log", "echo", "read_text_file", "create_entities"} <= names


async def test_time_is_converted(hub: McpHub) -> None:
    arguments = {"source_timezone": "Asia/Shanghai", "time": "08:00", "target_timezone": "Asia/Tokyo"}
    result = await result_of(hub, "convert_time", **arguments)
    assert json.loads(result.text)["time_difference"] == "+1.0h"


async def test_a_repository_is_read(hub: McpHub, directory: Path) -> None:
    result = await result_of(hub, "git_log", repo_path=str(directory / "repository"))
    assert "The beginning" in result.text


async def test_a_file_is_read_and_one_outside_is_refused(hub: McpHub, directory: Path) -> None:
    assert "你好，世界" in (await result_of(hub, "read_text_file", path=str(directory / "letter.txt"))).text
    refused = await result_of(hub, "read_text_file", path="/etc/hostname")
    assert refused.is_error


async def test_a_graph_is_remembered(hub: McpHub) -> None:
    entity = {"name": "小明", "entityType": "person", "observations": ["likes tea"]}
    await result_of(hub, "create_entities", entities=[entity])
    found = await result_of(hub, "search_nodes", query="tea")
    assert found.structured["entities"][0]["name"] == "小明"


async def test_a_sum_with_a_schema_of_its_own(hub: McpHub) -> None:
    assert "42" in (await result_of(hub, "get-sum", a=40, b=2)).text
    with pytest.raises(InvalidArguments):
        await hub.call("get-sum", {"a": "forty", "b": 2}, call_id="1")


async def test_a_picture_stays_a_picture(hub: McpHub) -> None:
    result = await result_of(hub, "get-tiny-image")
    [picture] = [block for block in result.content if block["type"] == "image"]
    assert picture["mimeType"] == "image/png"


async def test_what_an_older_server_asks_in_a_call_is_declined(hub: McpHub) -> None:
    """Its question cannot be taken up by another call; it goes on without an answer."""
    assert "declin" in (await result_of(hub, "trigger-elicitation-request")).text.lower()


async def test_the_hints_of_an_older_server_are_read(hub: McpHub) -> None:
    read, write = await hub.find("read_text_file"), await hub.find("write_file")
    assert read.repeatable
    assert not read.destructive
    assert write.destructive


async def test_their_lock_pins_versions_and_holds_no_download_addresses() -> None:
    lock = (ROOT / "tests" / "projects" / "tool_servers" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    packages = json.loads(lock)["packages"]
    assert all("integrity" in package for path, package in packages.items() if path)
    assert all(re.fullmatch(r"[\d.]+", version) for version in packages[""]["dependencies"].values())
