"""The processes that faults are done to: servers and workers on one data directory, with its embedded PostgreSQL."""

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from db.embedded.layout import SYSTEM_DIR
from db.embedded.process import find_postmaster
from db.embedded.server import EmbeddedPostgres
from db.embedded.supervise import lay_out
from tests.kit.directories import crossable
from tests.kit.processes import ROOT, Program, environment, program, served

PROJECT: Final = ROOT / "tests" / "projects" / "faults" / "langgraph.json"
_START_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Mark:
    """A step's word in the journal: that it `begin`s or that it is at its `end`."""

    kind: str
    item: str
    attempt: int
    at: float
    pid: int


@dataclass
class Fleet:
    """A server that executes nothing (`front`), workers, and whatever else a fault needs."""

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: list[Program] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)
    _started: int = 0

    @property
    def _environment(self) -> dict[str, str]:
        return environment(
            self.directory / "data",
            FAULTS_JOURNAL=str(self.directory / "journal"),
            PYTHONPATH=str(ROOT),
            LOG_FORMAT="json",
            **self.settings,
        )

    def _output(self, kind: str) -> Path:
        self._started += 1
        return self.directory / f"{kind}-{self._started}.log"

    async def server(self, *options: str) -> Program:
        """Start `colloquy serve`; with `--no-worker` it executes nothing."""
        running = served(self._environment, self._output("serve"), "--config", str(PROJECT), *options)
        return await asyncio.to_thread(self._stack.enter_context, running)

    async def worker(self) -> Program:
        """Start a `colloquy worker` and wait until it is ready."""
        arguments = ("-m", "server.cli", "worker", "--config", str(PROJECT))
        running = program(*arguments, environ=self._environment, output=self._output("worker"))
        started = self._stack.enter_context(running)
        await until(lambda: "worker_ready" in started.printed() or started.process.poll() is not None, _START_SECONDS)
        assert started.process.poll() is None, started.printed()
        self.workers.append(started)
        return started

    async def replace_dead_workers(self) -> None:
        """Start a worker for each that has ended."""
        dead = [worker for worker in self.workers if worker.process.poll() is not None]
        self.workers = [worker for worker in self.workers if worker not in dead]
        await asyncio.gather(*(self.worker() for _ in dead))

    def client(self, server: Program) -> LangGraphClient:
        """Return the vendor's client of one of the servers."""
        return get_client(url=server.address, api_key=self.key)

    @property
    def key(self) -> str:
        """The API key of the development user."""
        return (self.directory / "data" / "api-key").read_text()

    def marks(self, label: str | None = None) -> list[Mark]:
        """Return what steps wrote down: all, or what was asked under a label."""
        path = self.directory / "journal"
        lines = path.read_text().splitlines() if path.exists() else []
        marks = [Mark(**json.loads(line)) for line in lines]
        return [mark for mark in marks if label is None or mark.item.startswith(label + ":")]

    def kill_postgres(self) -> None:
        """Kill the postmaster of the embedded server: nothing is tidied up, and nobody is told."""
        layout = lay_out(self.directory / "data" / "pg", durable=True, system_dir=SYSTEM_DIR)
        postmaster = find_postmaster(layout)
        assert postmaster is not None
        postmaster.process.kill()

    def holder(self, label: str) -> Program:
        """Return the worker that began the newest step of what was asked under a label."""
        pid = self.marks(label)[-1].pid
        return next(worker for worker in self.workers if worker.process.pid == pid)

    def logs(self) -> str:
        """Return what all processes printed, the oldest first."""
        return "\n".join(path.read_text() for path in sorted(self.directory.glob("*.log")))


def freeze(process: Program) -> None:
    """Stop a process in the middle of whatever it does, as a machine that sleeps."""
    process.process.send_signal(signal.SIGSTOP)


def wake(process: Program) -> None:
    """Let a frozen process go on."""
    process.process.send_signal(signal.SIGCONT)


@contextmanager
def fleet(settings: Mapping[str, str] | None = None) -> Iterator[Fleet]:
    """Give a fleet without processes; end all that it started, and its PostgreSQL last."""
    with crossable() as directory:
        postgres = EmbeddedPostgres(directory / "data" / "pg")
        postgres.acquire()
        started = Fleet(directory, settings or {})
        try:
            yield started
        finally:
            for worker in started.workers:
                # One that is still frozen hears nothing of the end.
                with suppress(ProcessLookupError):
                    wake(worker)
            started._stack.close()
            postgres.release()


async def until(condition: Callable[[], bool], seconds: float = 30.0, *, every: float = 0.01) -> None:
    """Wait for something to come true.

    Raises:
        TimeoutError: it did not.
    """
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not after {seconds:g} s")
        await asyncio.sleep(every)
