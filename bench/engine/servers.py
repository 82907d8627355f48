"""The server under test, in processes of its own, and what it uses."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.engine.client import Client
from tests.kit.processes import ROOT, Program, environment, served

GRAPHS = {name: f"bench.engine.graphs:{name}" for name in ("three", "waiting", "telling", "chat")}


@dataclass(frozen=True)
class Served:
    """Processes on one database, and a key to them."""

    processes: list[Program]
    key: str

    @property
    def cpu_seconds(self) -> float:
        """What the processes have used; PostgreSQL's are not among them."""
        times = [psutil.Process(program.process.pid).cpu_times() for program in self.processes]
        return sum(one.user + one.system for one in times)

    @property
    def megabytes(self) -> float:
        """The memory of the first process."""
        return psutil.Process(self.processes[0].process.pid).memory_info().rss / 2**20

    async def client(self, number: int = 0) -> Client:
        """Return an open connection; they are spread over the processes."""
        return await Client(self.processes[number % len(self.processes)].address, self.key).open()

    async def side_by_side(self, concurrency: int, work: Callable[[Client], Awaitable[None]]) -> None:
        """Do `work` on some connections at once."""
        clients = [await self.client(number) for number in range(concurrency)]
        await asyncio.gather(*(work(client) for client in clients))
        for client in clients:
            client.close()


@contextmanager
def servers(url: str, data: Path, count: int = 1, **settings: str) -> Iterator[Served]:
    """Run `colloquy serve` in some processes."""
    config = data / "langgraph.json"
    config.write_text(json.dumps({"graphs": GRAPHS}))
    environ = environment(data, DATABASE_URL=url, LOG_LEVEL="warning", PYTHONPATH=str(ROOT), **settings)
    with ExitStack() as stack:
        running = [
            stack.enter_context(served(environ, data / f"log-{number}", "--config", str(config)))
            for number in range(count)
        ]
        yield Served(running, (data / "api-key").read_text())
