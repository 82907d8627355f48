"""Runs a second, CPU and latency of `POST /threads` with `POST /threads/{id}/runs/wait`, as ratios to the floor."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from bench.engine.client import Client
from bench.engine.servers import Served, servers
from tests.kit.processes import ROOT

ROUNDS = 12
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


async def compared(url: str, served: Served, of_floor: int, concurrency: int, runs: int) -> tuple[Rate, Rate, Rate]:
    """Measure the floor at a concurrency, and the server at one, by turns: a machine changes from second to second.

    Returns:
        The floor, the server, and the server as a part of the floor of the same moment; the median of each.
    """
    rounds = [
        (
            await asyncio.to_thread(floor, url, of_floor, runs // ROUNDS),
            await pairs(served, concurrency, runs // ROUNDS),
        )
        for _ in range(ROUNDS)
    ]
    floors, founds = zip(*rounds, strict=True)
    ratios = [Rate(*(b / a for a, b in zip(astuple(base), astuple(found), strict=True))) for base, found in rounds]
    return _median(floors), _median(founds), _median(ratios)


def _median(rates: Sequence[Rate]) -> Rate:
    return Rate(*(statistics.median(values) for values in zip(*map(astuple, rates), strict=True)))


async def measure(url: str, data: Path, runs: int) -> None:
    """Print the ratios."""
    for count, cases in ((1, (1, 16, 64)), (2, (64,))):
        with servers(url, data, count) as served:
            await pairs(served, 8, 300 * count)
            for concurrency in cases:
                base, found, ratio = await compared(url, served, min(concurrency, 16), concurrency, runs)
                print(
                    f"{count} process(es), concurrency {concurrency}: {found.rate:.0f} runs/s"
                    f" = {ratio.rate:.2f} of the floor's {base.rate:.0f} at {min(concurrency, 16)},"
                    f" CPU {found.cpu:.2f} ms = {ratio.cpu:.2f} of {base.cpu:.2f},"
                    f" p50 {found.p50:.2f} ms = {ratio.p50:.2f} of {base.p50:.2f}"
                )
