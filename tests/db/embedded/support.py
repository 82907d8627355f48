"""What the tests of the embedded server share: other processes, and a look at the server from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg

REPOSITORY = Path(__file__).parents[3]


class Client:
    """Another process that uses the embedded server of `root`."""

    def __init__(self, root: Path, system_dir: Path, *, uid: int | None = None, site: Path | None = None) -> None:
        command = [sys.executable, "-W", "error", "-m", "tests.db.embedded.client", str(root), str(system_dir)]
        paths = [str(path) for path in (site, REPOSITORY) if path]
        self.process = subprocess.Popen(
            command if uid is None else [*command, str(uid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )

    def __enter__(self) -> Self:
        assert self.answer() == "ready"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def say(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def do(self, word: str) -> str:
        self.say(word)
        return self.answer()


def value(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmasters(place: Path) -> list[psutil.Process]:
    """The living postmasters whose data directory is below `place`."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if command[1:2] == ["-D"] and Path(command[2]).is_relative_to(place) and "postgres" in command[0]:
                found.append(process)
        except psutil.Error:
            continue
    # A child that was forked this instant still has its parent's command line; it may be gone by now, too.
    numbers: set[int | None] = {None} | {process.pid for process in found}
    return [process for process in found if parent_of(process) not in numbers]


def parent_of(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


def postmaster(place: Path) -> psutil.Process:
    [process] = postmasters(place)
    return process


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)
