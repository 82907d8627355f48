"""How much memory a process takes while something happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psutil

_SECONDS = 0.02
_CHILD = "tools.audio.child"


@dataclass
class Memory:
    """MiB of a process before and at its peak, and the largest of its children."""

    before: float
    peak: float
    child: float = 0.0

    def __str__(self) -> str:
        return f"server {self.before:.0f} → {self.peak:.0f} MiB at most, its largest child {self.child:.0f} MiB"


def _mebibytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


@asynccontextmanager
async def watched(pid: int) -> AsyncIterator[Memory]:
    """Look at it fifty times a second until the block ends."""
    process = psutil.Process(pid)
    found = Memory(_mebibytes(process), _mebibytes(process))

    async def look() -> None:
        while True:
            found.peak = max(found.peak, _mebibytes(process))
            for child in process.children():
                # One that has only been forked still shows the memory of the server.
                with suppress(psutil.Error):
                    if _CHILD in child.cmdline():
                        found.child = max(found.child, _mebibytes(child))
            await asyncio.sleep(_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield found
    finally:
        looking.cancel()
