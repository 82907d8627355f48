"""Waiting for what other processes do."""

import asyncio
from collections.abc import Awaitable, Callable

import psutil


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def known(fence: int) -> Callable[[], Awaitable[int]]:
    """Return what tells a run's saver its fence, where that need not be waited for."""

    async def begun() -> int:
        return fence

    return begun
