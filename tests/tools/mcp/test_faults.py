"""Faults of servers, caused for real: they hang, die, are killed, are not there (issue 5)."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import psutil
import pytest

from tests.kit.tool_servers import LIMITS, FaultServer, plugged, result_of
from tools.mcp.model import ToolTimedOut, ToolUnreachable, UnknownTool

DEAD = {"command": "/no/such/program"}
CLOCK = {"command": sys.executable, "args": ["-m", "mcp_server_time"]}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another process has no event of ours
            await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


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


async def test_a_server_that_stands_still_is_replaced_after_a_time_out(server: FaultServer) -> None:
    limits = replace(LIMITS, retries=0)
    async with plugged(limits, faults=server.config(timeoutMs=1200)) as hub:
        await hub.tools()
        with pytest.raises(ToolTimedOut):
            await hub.call("stand_still", {"seconds": 60}, call_id="1")
        # It answers nothing any more: the list that the next call asks for first tells so.
        with pytest.raises(ToolUnreachable) as caught:
            await hub.call("add", {"a": 1, "b": 1}, call_id="2")
        assert not caught.value.sent
        for _attempt in range(5):
            try:
                assert (await result_of(hub, "add", a=1, b=1)).text == "2"
                break
            except ToolUnreachable:
                continue
        else:
            pytest.fail("it did not heal")
    assert all(gone(pid) for pid in server.pids())


async def test_the_breaker_opens_and_lets_one_try_after_the_cool_down(server: FaultServer) -> None:
    limits = replace(LIMITS, retries=0, failures_to_open=3, cool_down=0.5, pause_after_failure=0.0)
    async with plugged(limits, faults=server.config()) as hub:
        await hub.tools()
        server.refuse()
        os.kill(server.pids()[0], signal.SIGKILL)
        for _attempt in range(4):
            with pytest.raises(ToolUnreachable):
                await hub.call("append_line", {"text": "x"}, call_id="1")
        assert hub.health()[0].breaker == "open"
        starts = len(server.pids())
        with pytest.raises(ToolUnreachable) as caught:
            await hub.call("append_line", {"text": "x"}, call_id="1")
        assert not caught.value.sent
        assert len(server.pids()) == starts
        server.welcome()
        await asyncio.sleep(0.6)
        assert hub.health()[0].breaker == "half_open"
        assert (await result_of(hub, "add", a=1, b=1)).text == "2"
        assert hub.health()[0].breaker == "closed"


async def test_no_more_calls_at_once_than_the_server_is_given(server: FaultServer) -> None:
    async with plugged(faults=server.config(maxConcurrency=2)) as hub:
        await hub.tools()
        began = time.monotonic()
        await asyncio.gather(*(result_of(hub, "slow", seconds=0.2) for _call in range(6)))
        assert time.monotonic() - began >= 0.6


async def test_who_waits_too_long_for_a_place_is_sent_away(server: FaultServer) -> None:
    async with plugged(faults=server.config(maxConcurrency=1, timeoutMs=1500)) as hub:
        await hub.tools()
        first = asyncio.create_task(result_of(hub, "slow", seconds=1.4))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(result_of(hub, "slow", seconds=1.4)) for _call in range(2)]
        await first
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, ToolUnreachable)]
    assert [error.sent for error in errors] == [False]


async def test_a_call_whose_caller_went_away_frees_its_place(server: FaultServer) -> None:
    async with plugged(faults=server.config(maxConcurrency=1)) as hub:
        await hub.tools()
        call = asyncio.create_task(result_of(hub, "slow", seconds=30))
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.wait({call})
        assert (await result_of(hub, "add", a=1, b=1)).text == "2"


async def test_opening_waits_for_no_server_and_closing_leaves_no_process(server: FaultServer) -> None:
    began = time.monotonic()
    async with plugged(faults=server.config(), deaf=server.config(env={"MODE": "deaf"})) as hub:
        assert time.monotonic() - began < 0.3
        await hub.find("add")
        await until(lambda: len(server.pids()) == 2)
    assert all(gone(pid) for pid in server.pids())
    assert not psutil.Process().children(recursive=True)


async def test_a_call_after_closing_is_refused(server: FaultServer) -> None:
    async with plugged(faults=server.config()) as hub:
        await hub.find("add")
    with pytest.raises(ToolUnreachable) as caught:
        await hub.call("add", {"a": 1, "b": 1}, call_id="1")
    assert not caught.value.sent
