"""Servers that are reached over streamable HTTP: they are stopped, killed, and started anew."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kit.processes import Program, environment, free_port, program
from tests.kit.tool_servers import LIMITS, SCRIPT, FaultServer, npm_server, plugged, result_of
from tools.mcp.model import ToolTimedOut, ToolUnreachable


@contextmanager
def serving(server: FaultServer, port: int, directory: Path) -> Iterator[Program]:
    environ = environment(directory) | server.config()["env"]
    with program(str(SCRIPT), str(port), environ=environ, output=directory / "output") as running:
        yield running
        # It would wait for the stream of changes that the hub holds open.
        running.kill()


@contextmanager
def started(command: Mapping[str, Any], port: int, directory: Path) -> Iterator[None]:
    """Run a server that takes its port from the environment, until the block ends."""
    environ = environment(directory) | {"PORT": str(port)}
    with (directory / "output").open("wb") as file:
        process = subprocess.Popen([command["command"], *command["args"]], env=environ, stdout=file, stderr=file)
    try:
        until_listens(port)
        yield
    finally:
        process.kill()
        process.wait()


def until_listens(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def at(port: int, **options: Any) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{port}/mcp", **options}


async def until_up(hub: Any) -> None:
    async with asyncio.timeout(20):
        while not await hub.tools():
            await asyncio.sleep(0.05)


EAGER = replace(LIMITS, patience=2.0, pause_after_failure=0.2, failures_to_open=1000)


async def test_a_server_that_is_killed_and_started_again_heals(server: FaultServer, tmp_path: Path) -> None:
    port = free_port()
    async with plugged(EAGER, far=at(port)) as hub:
        with serving(server, port, tmp_path) as running:
            await until_up(hub)
            assert (await result_of(hub, "add", a=1, b=2)).text == "3"
            running.kill()
            with pytest.raises(ToolUnreachable) as caught:
                await hub.call("append_line", {"text": "lost"}, call_id="1")
            assert not caught.value.sent
            assert not await hub.tools()
        with serving(server, port, tmp_path):
            await until_up(hub)
            assert (await result_of(hub, "append_line", text="kept")).text == "done"
    assert server.lines() == ["kept"]


async def test_a_server_that_dies_in_a_call_is_not_asked_twice(server: FaultServer, tmp_path: Path) -> None:
    port = free_port()
    async with plugged(EAGER, far=at(port)) as hub:
        with serving(server, port, tmp_path):
            await until_up(hub)
            with pytest.raises(ToolUnreachable) as caught:
                await hub.call("die_after_write", {"text": "once"}, call_id="1")
            assert caught.value.sent
    assert server.lines() == ["once"]


async def test_a_call_that_times_out_leaves_the_server_usable(server: FaultServer, tmp_path: Path) -> None:
    port = free_port()
    async with plugged(EAGER, far=at(port, timeoutMs=1000)) as hub:
        with serving(server, port, tmp_path):
            await until_up(hub)
            began = time.monotonic()
            with pytest.raises(ToolTimedOut):
                await hub.call("slow_append", {"seconds": 30, "text": "slow"}, call_id="1")
            assert time.monotonic() - began < 5
            assert (await result_of(hub, "add", a=1, b=2)).text == "3"


async def test_an_older_server_that_was_restarted_gets_a_new_session(tmp_path: Path) -> None:
    """It does not know the session any more and refuses the request: nothing was done, so it is sent again."""
    port = free_port()
    command = npm_server("server-everything", "streamableHttp")
    async with plugged(EAGER, far=at(port)) as hub:
        for _start in range(2):
            with started(command, port, tmp_path):
                await until_up(hub)
                assert "3" in (await result_of(hub, "get-sum", a=1, b=2)).text
                assert hub.health()[0].protocol_version == "2025-11-25"


async def test_an_older_servers_session_that_is_lost_while_it_runs(tmp_path: Path) -> None:
    port = free_port()
    command = npm_server("server-everything", "streamableHttp")
    async with plugged(replace(EAGER, retries=3), far=at(port, trustHints=False)) as hub:
        with started(command, port, tmp_path):
            await until_up(hub)
        with started(command, port, tmp_path):
            # Nobody asked in between: the hub believes that it has a session.
            assert hub.health()[0].reachable
            assert "3" in (await result_of(hub, "get-sum", a=1, b=2)).text


async def test_an_answer_without_an_end_is_not_read_to_its_end() -> None:
    """A body that is no stream of events is bounded too."""

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{")
        with suppress(ConnectionError):
            while True:
                writer.write(b'"a":1,' * 100_000)
                await writer.drain()

    listener = await asyncio.start_server(pour, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, plugged(replace(EAGER, retries=0, patience=10.0), far=at(port)) as hub:
        assert await hub.tools() == ()
        assert hub.health()[0].error == "MCPError"


async def test_who_is_not_let_in_sent_nothing() -> None:
    """A server that answers 401 has done nothing; its token is wrong, and stays so."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, plugged(replace(EAGER, retries=0), far=at(port, headers={"Authorization": "Bearer x"})) as hub:
        assert await hub.tools() == ()
        [health] = hub.health()
        assert (health.transport, health.reachable, health.tools) == ("http", False, 0)
        assert health.error
