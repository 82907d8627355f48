"""The whole way of a tool call: interpreted (offline model), offered, confirmed, journaled, called; over HTTP."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
from mcp import Client as Session
from mcp import StdioServerParameters

from bench.engine.client import Client
from bench.mcp.plugged import CALLERS, SERVER
from bench.mcp.rates import rate, show
from server.database import migrate
from tests.kit.database import create, running_server
from tests.kit.directories import crossable
from tests.kit.processes import environment, served


async def measure(pairs: int) -> None:
    """Print interpret-and-execute pairs a second of one user and of 50 at once, beside the bare session's calls."""
    with crossable() as path, running_server(path / "pg") as database:
        url = await asyncio.to_thread(create, database, "bench_mcp")
        await migrate(url)
        tools = {"mcpServers": {"demo": SERVER | {"maxConcurrency": max(CALLERS)}}}
        settings = {"DATABASE_URL": url, "LOG_LEVEL": "warning", "MCP_SERVERS": json.dumps(tools)}
        with served(environment(path / "data", **settings), path / "log") as running:
            server = psutil.Process(running.process.pid)
            await _measure(server, running.address, (path / "data" / "api-key").read_text(), pairs, path)


async def _measure(server: psutil.Process, address: str, key: str, pairs: int, directory: Path) -> None:
    parameters = StdioServerParameters(command=SERVER["command"], args=SERVER["args"])
    async with Session(parameters) as session:
        await session.list_tools()

        async def bare(number: int) -> object:
            return await session.session.call_tool("add", {"a": number, "b": 1})

        for callers in CALLERS:
            clients = [await Client(address, key).open() for _ in range(callers)]
            user = (await clients[0].get("/v1/api/me"))["data"]["userId"]
            whole = _whole(clients, user)
            floor = await rate(bare, callers, pairs)
            show(f"bare session, {callers} at once", floor)
            used = server.cpu_times()
            show(f"whole graph, {callers} at once", await rate(whole, callers, pairs), floor)
            spent = sum(server.cpu_times()[:2]) - sum(used[:2])
            print(f"{'':32} server's CPU {spent / pairs * 1e3:.1f} ms a pair, without PostgreSQL's and the tools'")
            for client in clients:
                client.close()


def _whole(clients: list[Client], user: str) -> Callable[[int], Awaitable[Any]]:
    free: asyncio.Queue[tuple[Client, str]] = asyncio.Queue()
    for client in clients:
        free.put_nowait((client, f"session-{next(_SESSIONS)}"))

    async def whole(number: int) -> object:
        client, session = await free.get()
        try:
            body = {"sessionId": session, "userId": user}
            offer = await client.post("/v1/api/interpret", body | {"text": f"add {number} and 1"})
            given = {"action": offer["action"], "params": offer["params"]}
            done = await client.post("/v1/api/execute", body | given)
            assert done["data"] == {"result": number + 1}, (offer, done)
            return done
        finally:
            free.put_nowait((client, session))

    return whole


_SESSIONS = itertools.count()
