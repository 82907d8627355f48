"""The run engine over HTTP, with authentication, against its floor in the same run; ratios, never a pass or a fail.

    python -m bench.engine [--runs 2000]

A run is `POST /threads` and `POST /threads/{id}/runs/wait`. Two cores hold the server, PostgreSQL and the client.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import uvloop

from bench.engine.client import Client
from bench.engine.graphs import TOKEN_SECONDS, WAIT_SECONDS
from server.database import migrate
from tests.kit.database import create, running_server
from tests.kit.directories import crossable
from tests.kit.processes import ROOT, Program, environment, served

GRAPHS = {name: f"bench.engine.graphs:{name}" for name in ("three", "waiting", "telling", "chat")}


@dataclass(frozen=True)
class Rate:
    """Runs a second, CPU milliseconds of a run (the server's own process), median milliseconds of a run."""

    rate: float
    cpu: float
    p50: float


def floor(url: str, concurrency: int, runs: int) -> Rate:
    done = subprocess.run(
        [sys.executable, "-m", "bench.engine.floor", url, str(concurrency), str(runs)],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "LANGSMITH_TRACING": "false"},
    )
    return Rate(**json.loads(done.stdout))


@contextmanager
def servers(url: str, data: Path, count: int, **settings: str) -> Iterator[tuple[list[Program], str]]:
    """Run `colloquy serve` in some processes on one database; give them and a key."""
    config = data / "langgraph.json"
    config.write_text(json.dumps({"graphs": GRAPHS}))
    environ = environment(data, DATABASE_URL=url, LOG_LEVEL="warning", PYTHONPATH=str(ROOT), **settings)
    with ExitStack() as stack:
        running = [
            stack.enter_context(served(environ, data / f"log-{number}", "--config", str(config)))
            for number in range(count)
        ]
        yield running, (data / "api-key").read_text()


async def side_by_side(
    addresses: list[str], key: str, concurrency: int, work: Callable[[Client], Awaitable[None]]
) -> None:
    clients = [await Client(addresses[number % len(addresses)], key).open() for number in range(concurrency)]
    await asyncio.gather(*(work(client) for client in clients))
    for client in clients:
        client.close()


async def pairs(running: list[Program], key: str, concurrency: int, runs: int) -> Rate:
    """Measure `POST /threads` and `runs/wait`."""
    taken: list[float] = []

    async def work(client: Client) -> None:
        for _ in range(runs // concurrency):
            begun = time.perf_counter()
            thread = await client.post("/threads", {})
            done = await client.post(f"/threads/{thread['thread_id']}/runs/wait", RUN)
            taken.append(time.perf_counter() - begun)
            assert done["count"] == 3, done

    before, begun = used(running), time.perf_counter()
    await side_by_side([program.address for program in running], key, concurrency, work)
    seconds = time.perf_counter() - begun
    return Rate(len(taken) / seconds, (used(running) - before) / len(taken) * 1e3, statistics.median(taken) * 1e3)


RUN = {"assistant_id": "three", "input": {"steps": []}}


def used(running: list[Program]) -> float:
    """Return the CPU seconds of the servers' own processes."""
    times = [psutil.Process(program.process.pid).cpu_times() for program in running]
    return sum(one.user + one.system for one in times)


async def throughput(url: str, data: Path, runs: int) -> None:
    floors = {1: await asyncio.to_thread(floor, url, 1, runs // 4), 16: await asyncio.to_thread(floor, url, 16, runs)}
    print(
        f"floor: {floors[16].rate:.0f} runs/s at 16, {floors[16].cpu:.2f} ms CPU a run; p50 {floors[1].p50:.2f} ms at 1"
    )
    for count, cases in ((1, (1, 16, 64)), (2, (64,))):
        with servers(url, data, count) as (running, key):
            await pairs(running, key, 8, 200 * count)
            for concurrency in cases:
                found = await pairs(running, key, concurrency, runs // 4 if concurrency == 1 else runs)
                print(
                    f"{count} process(es), concurrency {concurrency}: {found.rate:.0f} runs/s"
                    f" = {found.rate / floors[16].rate:.2f} of the floor at 16,"
                    f" CPU {found.cpu:.2f} ms = {found.cpu / floors[16].cpu:.2f}, p50 {found.p50:.2f} ms"
                    f" = {found.p50 / floors[1].p50:.2f} of the floor at 1"
                )


async def first_tokens(url: str, data: Path) -> None:
    """Measure how long a token takes from the model's hands to the client's."""
    with servers(url, data, 1) as (running, key):
        address = running[0].address
        for concurrency, rounds in ((1, 20), (32, 2)):
            firsts: list[float] = []
            late: list[float] = []

            async def work(client: Client) -> None:
                for _ in range(rounds):  # noqa: B023 - used within the round
                    thread = (await client.post("/threads", {}))["thread_id"]
                    begun = time.time()
                    told: list[float] = []
                    asked = {
                        "assistant_id": "telling",
                        "input": {"messages": ["when?"]},
                        "stream_mode": "messages-tuple",
                    }
                    async for chunk in client.stream(f"/threads/{thread}/runs/stream", asked):
                        told += [time.time()] * chunk.count(b"event: messages")
                    firsts.append(told[0] - begun)  # noqa: B023
                    gaps = [after - before for before, after in zip(told, told[1:], strict=False)]
                    late.extend(gap - TOKEN_SECONDS for gap in gaps[:-1])  # noqa: B023

            await side_by_side([address], key, concurrency, work)
            firsts, late = firsts[concurrency:], sorted(late)
            print(
                f"first token among {concurrency}: p50 {statistics.median(firsts) * 1e3:.1f} ms;"
                f" gaps longer than the model's by {late[int(len(late) * 0.95)] * 1e3:.1f} ms (p95)"
            )


async def in_flight(url: str, data: Path) -> None:
    """Measure runs that wait for something, side by side in one worker."""
    with servers(url, data, 1, WORKER_CONCURRENCY="1000") as (running, key):
        for count in (200, 1000):

            async def work(client: Client) -> None:
                await client.post("/runs/wait", {"assistant_id": "waiting", "input": {"steps": []}})

            begun = time.perf_counter()
            await side_by_side([running[0].address], key, count, work)
            seconds = time.perf_counter() - begun
            memory = psutil.Process(running[0].process.pid).memory_info().rss / 2**20
            print(f"{count} runs that wait {WAIT_SECONDS} s: {seconds / WAIT_SECONDS:.2f} times that, {memory:.0f} MB")


async def long_thread(url: str, data: Path) -> None:
    """Measure what a turn of a conversation costs as it grows."""
    with servers(url, data, 1) as (running, key), psycopg.connect(url, autocommit=True) as database:

        def written() -> int:
            database.execute("CHECKPOINT")
            row = database.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
            return int(row[0]) if row else 0

        client = await Client(running[0].address, key).open()
        thread = (await client.post("/threads", {}))["thread_id"]
        times: dict[int, float] = {}
        sizes: dict[int, float] = {}
        said = (
            "A question of the usual length, such as a customer asks: when will it come, what does it cost, and why? "
        )
        turn = 0
        while turn < 1000:
            if turn in (10, 200, 1000 - 20):
                before, taken = written(), []
                for _ in range(20):
                    begun = time.perf_counter()
                    await ask(client, thread, f"{said}{turn}")
                    taken.append(time.perf_counter() - begun)
                sizes[turn], times[turn] = (written() - before) / 20, statistics.median(taken)
                turn += 20
                continue
            await ask(client, thread, f"{said}{turn}")
            turn += 1
        client.close()
        print(f"turn 200 takes {times[200] / times[10]:.2f} times turn 10 ({times[10] * 1e3:.1f} ms)")
        print(
            f"turn 1000 writes {sizes[980] / sizes[10]:.2f} times turn 10 ({sizes[10] / 1024:.1f} KB), takes {times[980] / times[10]:.2f} times"
        )


async def ask(client: Client, thread: str, text: str) -> Any:
    return await client.post(f"/threads/{thread}/runs/wait", {"assistant_id": "chat", "input": {"messages": [text]}})


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--only", choices=["throughput", "tokens", "flight", "thread"])
    asked = parser.parse_args()
    with crossable() as path, running_server(path / "pg") as server:
        os.environ.pop("DATABASE_URL", None)
        url = await asyncio.to_thread(create, server, "bench_engine")
        await migrate(url)
        data = path / "data"
        data.mkdir()
        if asked.only in (None, "throughput"):
            await throughput(url, data, asked.runs)
        if asked.only in (None, "tokens"):
            await first_tokens(url, data)
        if asked.only in (None, "flight"):
            await in_flight(url, data)
        if asked.only in (None, "thread"):
            await long_thread(url, data)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
