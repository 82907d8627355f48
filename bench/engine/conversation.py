"""What a turn of a conversation costs as it grows, in time and in bytes written."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from bench.engine.client import Client
from bench.engine.servers import servers

SAID: Final = (
    "A question of the usual length, as a customer asks it: when will it come, what does it cost, and why so? "
)
ROUNDS: Final = 9
WINDOW: Final = 10
"""Turns over which one figure is taken: around the tenth, from the two hundredth, from the thousandth."""


@dataclass(frozen=True)
class Cost:
    """What a turn takes: seconds until its answer is there, and bytes that PostgreSQL logs."""

    seconds: float
    bytes: float


class Conversation:
    """A thread that grows."""

    def __init__(self, client: Client, thread: str, database: psycopg.Connection[Any]) -> None:
        self._client = client
        self._thread = thread
        self._database = database
        self._turns = 0

    async def go_on(self, turns: int) -> Cost:
        """Take some turns; return what one of them takes."""
        before, seconds = self._written(), []
        for _ in range(turns):
            asked = {"assistant_id": "chat", "input": {"messages": [f"{SAID}{self._turns}"]}}
            begun = time.perf_counter()
            # What a client makes of the answer is not the server's.
            async for _chunk in self._client.stream(f"/threads/{self._thread}/runs/wait", asked):
                pass
            seconds.append(time.perf_counter() - begun)
            self._turns += 1
        return Cost(statistics.median(seconds), (self._written() - before) / turns)

    def _written(self) -> int:
        row = self._database.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
        return int(row[0]) if row else 0


async def measure(url: str, data: Path) -> None:
    """Print ratios of late turns to early ones, which are taken by turns: a machine changes from second to second."""
    with servers(url, data) as served, psycopg.connect(url, autocommit=True) as database:
        client = await served.client()

        async def begun(turns: int) -> Conversation:
            made = Conversation(client, (await client.post("/threads", {}))["thread_id"], database)
            await made.go_on(turns)
            return made

        # One of a thousand turns hardly grows by those that are measured.
        for turn, threads in ((200, ROUNDS), (1000, 1)):
            long = [await begun(turn - 1) for _ in range(threads)]
            early, late = [], []
            for number in range(ROUNDS):
                early.append(await (await begun(5)).go_on(WINDOW))
                late.append(await long[number % threads].go_on(WINDOW))
            _report(turn, early, late)
        client.close()


def _report(turn: int, early: list[Cost], late: list[Cost]) -> None:
    time_ratio = statistics.median(last.seconds / first.seconds for first, last in zip(early, late, strict=True))
    bytes_ratio = statistics.median(last.bytes / first.bytes for first, last in zip(early, late, strict=True))
    print(
        f"turn {turn} takes {time_ratio:.2f} times turn 10 ({early[0].seconds * 1e3:.1f} ms),"
        f" and writes {bytes_ratio:.2f} times as much ({early[0].bytes / 1024:.1f} KB)"
    )
