"""Runs a second, CPU and latency of `POST /threads` with `POST /threads/{id}/runs/wait`, as ratios to the floor."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.engine.client import Client
from bench.engine.servers import Served, servers
from tests.kit.processes import ROOT

RUN = {"assistant_id": "three", "input": {"steps": []}}


@dataclass(frozen=True)
class Rate:
    """Runs a second, CPU milliseconds of a run (the server's own processes), median milliseconds of a run."""

    rate: float
    cpu: float
    p50: float


def floor(url: str, concurrency: int, runs: int) -> Rate:
    """Measure the floor in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.engine.floor", url, str(concurrency), str(runs)],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "LANGSMITH_TRACING": "false"},
    )
    return Rate(**json.loads(done.stdout))


async def pairs(served: Served, concurrency: int, runs: int) -> Rate:
    """Measure new threads with one run each."""
    taken: list[float] = []

    async def work(client: Client) -> None:
        for _ in range(runs // concurrency):
            begun = time.perf_counter()
            thread = await client.post("/threads", {})
            done = await client.post(f"/threads/{thread['thread_id']}/runs/wait", RUN)
            taken.append(time.perf_counter() - begun)
            assert done["count"] == 3, done

    before, begun = served.cpu_seconds, time.perf_counter()
    await served.side_by_side(concurrency, work)
    seconds = time.perf_counter() - begun
    return Rate(len(taken) / seconds, (served.cpu_seconds - before) / len(taken) * 1e3, statistics.median(taken) * 1e3)


async def measure(url: str, data: Path, runs: int) -> None:
    """Print the ratios."""
    one = await asyncio.to_thread(floor, url, 1, runs // 4)
    many = await asyncio.to_thread(floor, url, 16, runs)
    print(f"floor: {many.rate:.0f} runs/s at 16, {many.cpu:.2f} ms CPU a run; p50 {one.p50:.2f} ms at 1")
    for count, cases in ((1, (1, 16, 64)), (2, (64,))):
        with servers(url, data, count) as served:
            await pairs(served, 8, 300 * count)
            for concurrency in cases:
                found = await pairs(served, concurrency, runs // 4 if concurrency == 1 else runs)
                print(
                    f"{count} process(es), concurrency {concurrency}: {found.rate:.0f} runs/s"
                    f" = {found.rate / many.rate:.2f} of the floor at 16,"
                    f" CPU {found.cpu:.2f} ms = {found.cpu / many.cpu:.2f},"
                    f" p50 {found.p50:.2f} ms = {found.p50 / one.p50:.2f} of the floor at 1"
                )
