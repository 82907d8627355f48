"""What a turn of a conversation costs as it grows, in time and in bytes written."""

import statistics
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.engine.client import Client
from bench.engine.servers import servers

SAID = "A question of the usual length, as a customer asks it: when will it come, what does it cost, and why so? "
TURNS = 1000
WINDOW = 20
"""Turns over which one figure is taken."""


def written(database: psycopg.Connection[Any]) -> int:
    """Return the bytes that PostgreSQL has logged so far."""
    row = database.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0


async def turn(client: Client, thread: str, number: int) -> float:
    """Take one turn; return its seconds."""
    begun = time.perf_counter()
    asked = {"assistant_id": "chat", "input": {"messages": [f"{SAID}{number}"]}}
    await client.post(f"/threads/{thread}/runs/wait", asked)
    return time.perf_counter() - begun


async def measure(url: str, data: Path) -> None:
    """Print ratios of late turns to early ones."""
    with servers(url, data) as served, psycopg.connect(url, autocommit=True) as database:
        client = await served.client()
        thread = (await client.post("/threads", {}))["thread_id"]
        taken: dict[int, float] = {}
        bytes_written: dict[int, float] = {}
        for window in range(TURNS // WINDOW):
            before = written(database)
            seconds = [await turn(client, thread, window * WINDOW + number) for number in range(WINDOW)]
            taken[window] = statistics.median(seconds)
            bytes_written[window] = (written(database) - before) / WINDOW
        client.close()
    late, last = 200 // WINDOW, TURNS // WINDOW - 1
    print(f"turn 200 takes {taken[late] / taken[0]:.2f} times turn 10 ({taken[0] * 1e3:.1f} ms)")
    print(
        f"turn 1000 takes {taken[last] / taken[0]:.2f} times turn 10, and writes"
        f" {bytes_written[last] / bytes_written[0]:.2f} times as much ({bytes_written[0] / 1024:.1f} KB)"
    )
