"""The real programs as subprocesses: started, asked, killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

# A dead worker's runs go on after three seconds in place of eight.
QUICK_BEATS = {"WORKER_BEAT_SECONDS": "0.5", "WORKER_DEAD_SECONDS": "2.5"}
ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60.0


@dataclass
class Program:
    """One running process; what it printed is in `output`."""

    process: subprocess.Popen[bytes]
    output: Path
    address: str = ""

    def kill(self) -> None:
        """End it as a crash does: nothing of it runs any more, nothing is tidied up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as an operator does, and give its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=30)

    def printed(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """Return a clean environment: nothing of the developer's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1", "LANGSMITH_TRACING": "false"} | settings


def command(*arguments: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of `colloquy` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "server.cli", *arguments],
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=90,
        cwd=ROOT,
        check=False,
    )


@contextmanager
def program(*arguments: str, environ: Mapping[str, str], output: Path, cwd: Path = ROOT) -> Iterator[Program]:
    """Run a program until the block ends."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments], env=dict(environ), stdout=file, stderr=subprocess.STDOUT, cwd=cwd
        )
    try:
        yield Program(process, output)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def served(environ: Mapping[str, str], output: Path, *options: str) -> Iterator[Program]:
    """Run `colloquy serve` on a free port, and wait until it answers."""
    port = free_port()
    arguments = ("-m", "server.cli", "serve", "--port", str(port), *options)
    with program(*arguments, environ=environ, output=output) as running:
        running.address = f"http://127.0.0.1:{port}"
        until_answers(running, "/health")
        yield running


def until_answers(running: Program, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    # One client for all questions, without certificates: to load those takes as long as half a start in all.
    with httpx.Client(base_url=running.address, timeout=2, verify=False) as client:
        while time.monotonic() < deadline:
            if running.process.poll() is not None:
                raise AssertionError(f"it ended:\n{running.printed()}")
            with suppress(httpx.TransportError):
                if client.get(path).status_code == httpx.codes.OK:
                    return
            time.sleep(0.05)
    raise AssertionError(f"it does not answer:\n{running.printed()}")
