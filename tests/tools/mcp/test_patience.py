"""How long is waited for a server, how many may call it at once, and what is left when the hub closes (issue 5)."""

import asyncio
import os
import signal
import time
from dataclasses import replace

import psutil
import pytest

from tests.kit.tool_servers import LIMITS, FaultServer, plugged, result_of
from tests.kit.waiting import gone, until
from tools.mcp.model import ToolTimedOut, ToolUnreachable


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
        first = asyncio.create_task(result_of(hub, "slow", seconds=1.0))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(result_of(hub, "slow", seconds=1.0)) for _call in range(2)]
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
    # A database of other tests may be a child of this process too.
    before = set(psutil.Process().children(recursive=True))
    began = time.monotonic()
    async with plugged(faults=server.config(), deaf=server.config(env={"MODE": "deaf"})) as hub:
        assert time.monotonic() - began < 0.3
        await hub.find("add")
        await until(lambda: len(server.pids()) == 2)
    assert all(gone(pid) for pid in server.pids())
    assert not set(psutil.Process().children(recursive=True)) - before


async def test_what_a_server_started_itself_goes_with_it(server: FaultServer) -> None:
    async with plugged(faults=server.config()) as hub:
        spawned = int((await result_of(hub, "spawn")).text)
        os.kill(server.pids()[0], signal.SIGKILL)
        await result_of(hub, "add", a=1, b=1)
        await until(lambda: gone(spawned))


async def test_a_call_after_closing_is_refused(server: FaultServer) -> None:
    async with plugged(faults=server.config()) as hub:
        await hub.find("add")
    with pytest.raises(ToolUnreachable) as caught:
        await hub.call("add", {"a": 1, "b": 1}, call_id="1")
    assert not caught.value.sent
