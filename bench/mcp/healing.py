"""Time from kill -9 of a server until a call through the hub is answered again, beside what a fresh process costs."""

import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from mcp import Client, StdioServerParameters

from tests.kit.tool_servers import LIMITS, FaultServer, plugged, result_of


async def measure(kills: int) -> None:
    """Print the median and the longest time to heal."""
    healed: list[float] = []
    fresh: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        server = FaultServer(Path(directory) / "faults")
        config = server.config()
        async with plugged(LIMITS, faults=config) as hub:
            await hub.tools()
            for _kill in range(kills):
                os.kill(server.pids()[-1], signal.SIGKILL)
                begun = time.perf_counter()
                await result_of(hub, "add", a=1, b=1)
                healed.append(time.perf_counter() - begun)
        parameters = StdioServerParameters(command=config["command"], args=config["args"])
        for _start in range(kills):
            begun = time.perf_counter()
            async with Client(parameters) as client:
                await client.call_tool("add", {"a": 1, "b": 1})
                fresh.append(time.perf_counter() - begun)
    print(f"healed after kill -9             p50 {statistics.median(healed):.2f} s, longest {max(healed):.2f} s")
    print(f"a fresh process, bare session    p50 {statistics.median(fresh):.2f} s, longest {max(fresh):.2f} s")
