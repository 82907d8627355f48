"""Faults of servers, caused for real: they hang, die, are killed, are not there (issue 5)."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace

import pytest

from tests.kit.tool_servers import LIMITS, FaultServer, plugged, result_of
from tests.kit.waiting import until
from tools.mcp.model import ToolUnreachable, UnknownTool

DEAD = {"command": "/no/such/program"}
CLOCK = {"command": sys.executable, "args": ["-m", "mcp_server_time"]}


async def test_a_server_that_dies_in_a_call_is_told_and_the_next_call_heals(server: FaultServer) -> None:
    async with plugged(faults=server.config()) as hub:
        with pytest.raises(ToolUnreachable) as caught:
            await hub.call("die", {}, call_id="1")
        assert caught.value.sent
        assert (await result_of(hub, "add", a=1, b=1)).text == "2"
    assert len(server.pids()) == 2


async def test_work_that_was_done_before_the_crash_is_not_done_again(server: FaultServer) -> None:
    """A tool that may not be repeated is sent exactly once, whatever becomes of it (G21)."""
    async with plugged(faults=server.config()) as hub:
        with pytest.raises(ToolUnreachable) as caught:
            await hub.call("die_after_write", {"text": "once"}, call_id="1")
        assert caught.value.sent
        await result_of(hub, "add", a=1, b=1)
    assert server.lines() == ["once"]


async def test_a_tool_that_only_reads_is_called_again_after_a_crash(server: FaultServer) -> None:
    async with plugged(faults=server.config()) as hub:
        assert (await result_of(hub, "die_once")).text == "alive"
    assert len(server.pids()) == 2


async def test_a_server_that_does_not_start_is_tried_as_often_as_the_setting_says(server: FaultServer) -> None:
    """Nothing was sent, so that is for every tool (G21)."""
    async with plugged(replace(LIMITS, retries=3), faults=server.config()) as hub:
        await hub.tools()
        server.refuse()
        os.kill(server.pids()[0], signal.SIGKILL)
        await until(lambda: not hub.health()[0].reachable)
        with pytest.raises(ToolUnreachable) as caught:
            await hub.call("append_line", {"text": "never"}, call_id="1")
        assert not caught.value.sent
    assert len(server.pids()) == 1 + 4
    assert server.lines() == []


async def test_an_operator_may_say_that_a_tool_can_be_repeated(server: FaultServer) -> None:
    """`die_after_write` dies each time: it is tried once, and as often again as the setting says."""
    limits = replace(LIMITS, retries=1)
    async with plugged(limits, faults=server.config(idempotent=["die_after_*"])) as hub:
        with pytest.raises(ToolUnreachable) as caught:
            await hub.call("die_after_write", {"text": "again"}, call_id="1")
        assert caught.value.sent
    assert server.lines() == ["again"] * 2


async def test_hints_of_a_server_that_is_not_trusted_count_for_nothing(server: FaultServer) -> None:
    async with plugged(faults=server.config(trustHints=False)) as hub:
        add = await hub.find("add")
        assert (add.read_only, add.idempotent, add.destructive) == (False, False, True)
        with pytest.raises(ToolUnreachable):
            await hub.call("die_once", {}, call_id="1")


async def test_a_killed_server_is_started_once_for_twenty_callers(server: FaultServer) -> None:
    async with plugged(faults=server.config()) as hub:
        await hub.tools()
        os.kill(server.pids()[0], signal.SIGKILL)
        results = await asyncio.gather(*(result_of(hub, "add", a=number, b=0) for number in range(20)))
    assert [result.text for result in results] == [str(number) for number in range(20)]
    assert len(server.pids()) == 2


async def test_a_dead_server_hides_only_its_own_tools_and_delays_nobody(server: FaultServer) -> None:
    mute = FaultServer(server.notes.parent.parent / "mute").config(env={"MODE": "mute"})
    limits = replace(LIMITS, patience=0.5)
    async with plugged(limits, dead=DEAD, mute=mute, clock=CLOCK) as hub:
        # The first list waits a moment for who may be there soon, and no longer.
        began = time.monotonic()
        await hub.tools()
        assert time.monotonic() - began < 2
        await hub.find("convert_time")
        began = time.monotonic()
        names = {tool.name for tool in await hub.tools()}
        assert time.monotonic() - began < 0.2
        assert names == {"get_current_time", "convert_time"}
        health = {each.name: (each.reachable, each.error) for each in hub.health()}
    assert health["dead"] == (False, "FileNotFoundError")
    assert health["clock"] == (True, None)
    assert health["mute"][0] is False


async def test_a_dead_servers_tools_are_hidden_and_its_names_stay(server: FaultServer) -> None:
    """What is called `b.add` while both are there must not become `add` when `a` dies: an offer may name it."""
    other = FaultServer(server.notes.parent.parent / "other")
    limits = replace(LIMITS, pause_after_failure=60.0, retries=0)
    async with plugged(limits, a=server.config(), b=other.config()) as hub:
        assert {"a.add", "b.add"} <= {tool.name for tool in await hub.tools()}
        server.refuse()
        os.kill(server.pids()[0], signal.SIGKILL)
        await until(lambda: not hub.health()[0].reachable)
        with pytest.raises(ToolUnreachable):
            await hub.find("a.add")
        assert not {tool.name for tool in await hub.tools() if tool.server == "a"}
        assert (await hub.find("b.add")).name == "b.add"
        with pytest.raises(UnknownTool):
            await hub.find("add")
