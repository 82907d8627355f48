"""How long a token takes from the model's hands to the client's."""

import itertools
import statistics
import time
from pathlib import Path

from bench.engine.client import Client
from bench.engine.graphs import TOKEN_SECONDS
from bench.engine.servers import Served, servers

ASKED = {"assistant_id": "telling", "input": {"messages": ["when?"]}, "stream_mode": "messages-tuple"}


async def measure(url: str, data: Path) -> None:
    """Print the first token's time, and how much longer the gaps are than the model's own."""
    with servers(url, data) as served:
        for concurrency, rounds in ((1, 20), (32, 3)):
            firsts, late = await streams(served, concurrency, rounds)
            print(
                f"first token among {concurrency}: p50 {statistics.median(firsts) * 1e3:.1f} ms;"
                f" gaps longer than the model's by {late[int(len(late) * 0.95)] * 1e3:.1f} ms (p95)"
            )


async def streams(served: Served, concurrency: int, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds to each first token, and the sorted seconds by which gaps were too long."""
    firsts: list[float] = []
    late: list[float] = []

    async def work(client: Client) -> None:
        for number in range(rounds):
            thread = (await client.post("/threads", {}))["thread_id"]
            begun = time.time()
            told: list[float] = []
            async for chunk in client.stream(f"/threads/{thread}/runs/stream", ASKED):
                told += [time.time()] * chunk.count(b"event: messages")
            if number:
                # The first round warms up.
                firsts.append(told[0] - begun)
                late.extend(after - before - TOKEN_SECONDS for before, after in itertools.pairwise(told[:-1]))

    await served.side_by_side(concurrency, work)
    return firsts, sorted(late)
