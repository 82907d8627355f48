"""Runs that wait for something, side by side in one worker."""

import time
from pathlib import Path

from bench.engine.client import Client
from bench.engine.graphs import WAIT_SECONDS
from bench.engine.servers import servers


async def work(client: Client) -> None:
    """Make one run that waits."""
    await client.post("/runs/wait", {"assistant_id": "waiting", "input": {"steps": []}})


async def measure(url: str, data: Path) -> None:
    """Print how much longer than their wait 200 and 1,000 of them take, and the memory."""
    with servers(url, data, WORKER_CONCURRENCY="1000") as served:
        await served.side_by_side(8, work)
        for count in (200, 1000):
            begun = time.perf_counter()
            await served.side_by_side(count, work)
            seconds = time.perf_counter() - begun
            print(
                f"{count} runs that wait {WAIT_SECONDS:.0f} s: done in {seconds / WAIT_SECONDS:.2f} times that,"
                f" {served.megabytes:.0f} MB"
            )
