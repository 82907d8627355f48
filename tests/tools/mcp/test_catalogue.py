"""Which tools are there, under which names, and how news of them spreads (G19, G20)."""

import asyncio
import sys
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
import structlog

from tests.kit.processes import ROOT
from tests.kit.tool_servers import LIMITS, FaultServer, configs, plugged, result_of
from tools.mcp.hub import McpHub
from tools.mcp.model import InvalidArguments, UnknownTool

PAGED = {"command": sys.executable, "args": [str(ROOT / "tests" / "projects" / "tool_servers" / "paged.py")]}


async def names(hub: McpHub) -> list[str]:
    return [tool.name for tool in await hub.tools()]


async def test_all_pages_are_read_and_what_is_out_of_bounds_is_left_out() -> None:
    async with plugged(paged=PAGED) as hub:
        assert await names(hub) == ["one", "three", "two"]
        assert len((await hub.find("one")).description) == 4096
        # It says twice that it wants to be called again, and asks nobody anything.
        assert (await result_of(hub, "three")).text == "three"


async def test_an_answer_that_breaks_its_own_schema_is_an_error() -> None:
    async with plugged(paged=PAGED) as hub:
        result = await result_of(hub, "two")
        assert result.is_error
        assert "may have done its work" in result.text
        assert (await result_of(hub, "one")).text == "one"


async def test_a_list_without_an_end_is_cut_off() -> None:
    async with plugged(paged=PAGED | {"env": {"ENDLESS": "1"}}) as hub:
        assert await names(hub) == ["one", "three", "two"]


async def test_equal_names_get_their_servers_name(server: FaultServer) -> None:
    """Each stays callable, and only what is shared is prefixed."""
    other = FaultServer(server.notes.parent.parent / "other")
    options: dict[str, Any] = {"allow": ["append_line", "add"]}
    async with plugged(a=server.config(**options), b=other.config(allow=["append_line"])) as hub:
        assert await names(hub) == ["a.append_line", "add", "b.append_line"]
        await result_of(hub, "b.append_line", text="for b")
        with pytest.raises(UnknownTool):
            await hub.call("append_line", {"text": "for whom?"}, call_id="1")
    assert (server.lines(), other.lines()) == ([], ["for b"])


async def test_allow_and_deny_hide_tools_and_refuse_calls(server: FaultServer) -> None:
    async with plugged(faults=server.config(allow=["a*"], deny=["append_*"])) as hub:
        assert await names(hub) == ["add"]
        with pytest.raises(UnknownTool):
            await hub.call("append_line", {"text": "no"}, call_id="1")
    assert server.lines() == []


@pytest.mark.parametrize("name", ["append_line", "faults.append_line"])
async def test_a_tool_that_is_switched_off_is_not_there(server: FaultServer, name: str) -> None:
    off: set[str] = set()

    async def disabled() -> Collection[str]:
        return off

    async with McpHub(configs({"faults": server.config()}), limits=LIMITS, disabled=disabled) as hub:
        assert "append_line" in await names(hub)
        off.add(name)
        assert "append_line" not in await names(hub)
        with pytest.raises(UnknownTool):
            await hub.call("append_line", {"text": "no"}, call_id="1")
        off.clear()
        await result_of(hub, "append_line", text="yes")
    assert server.lines() == ["yes"]


async def test_a_server_that_tells_of_a_change_is_asked_again(server: FaultServer) -> None:
    async with plugged(faults=server.config()) as hub:
        await result_of(hub, "changing", first="x")
        await result_of(hub, "change_schema")
        async with asyncio.timeout(5):
            while "added_later" not in await names(hub):
                await asyncio.sleep(0.01)
        # The schema that counts is the new one: nothing is sent that does not fit it.
        with pytest.raises(InvalidArguments):
            await hub.call("changing", {"first": "x"}, call_id="1")
        assert (await result_of(hub, "changing", first="x", second=3)).text == "xxx"


async def test_a_list_is_believed_for_its_time_only(server: FaultServer) -> None:
    limits = replace(LIMITS, list_age=0.3)
    config = server.config(env={"SILENT": "1"})
    async with plugged(limits, faults=config) as hub:
        await result_of(hub, "change_schema")
        assert "added_later" not in await names(hub)
        await asyncio.sleep(0.4)
        assert "added_later" in await names(hub)


async def test_a_connection_is_not_its_first_callers(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    """It outlives the run that happened to need it first, whose context it must not keep."""
    caplog.set_level("INFO")
    with structlog.contextvars.bound_contextvars(run_id="the-first-run"):
        async with plugged(faults=server.config()) as hub:
            await hub.tools()
    [connected] = [record.getMessage() for record in caplog.records if "mcp_server_connected" in record.getMessage()]
    assert "the-first-run" not in connected


async def test_many_who_ask_make_one_list(server: FaultServer) -> None:
    async with plugged(faults=server.config()) as hub:
        lists = await asyncio.gather(*(hub.tools() for _asker in range(20)))
    assert all(tools == lists[0] for tools in lists)
    assert len(lists[0]) > 10
    assert len(server.pids()) == 1
