"""Calls a second and latencies of one way to call."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True)
class Rate:
    """Calls a second; median and 95th percentile of a call in milliseconds; CPU milliseconds of a call, ours alone."""

    rate: float
    p50: float
    p95: float
    cpu: float


async def rate(call: Call, callers: int, calls: int) -> Rate:
    """Measure so many calls by so many callers at once, each waiting for its answer."""
    taken: list[float] = []

    async def work(caller: int) -> None:
        for number in range(calls // callers):
            begun = time.perf_counter()
            await call(caller * calls + number)
            taken.append(time.perf_counter() - begun)

    begun, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work(caller) for caller in range(callers)))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    cuts = statistics.quantiles(taken, n=20)
    return Rate(len(taken) / seconds, statistics.median(taken) * 1e3, cuts[18] * 1e3, cpu / len(taken) * 1e3)


def show(title: str, found: Rate, floor: Rate | None = None) -> None:
    """Print one line; with a floor, how it compares."""
    line = f"{title:32} {found.rate:8.0f}/s  p50 {found.p50:7.2f} ms  p95 {found.p95:7.2f} ms  CPU {found.cpu:5.2f} ms"
    print(line + (f"   {found.rate / floor.rate:.2f} of the bare session" if floor else ""))
