"""Waiting and ending, for sure: on Python 3.11 a cancellation can get lost.

`asyncio.wait_for` returns the result, and drops the cancellation, when both come in the same turn of the loop; drivers
use it too. So deadlines are looked at, not only enforced by cancelling, and a task is cancelled until it has ended.
"""

import asyncio
from contextlib import suppress
from typing import Any


async def end(task: asyncio.Task[Any] | None, *, patience: float = 1.0) -> None:
    """Cancel a task and wait until it has ended; cancel it again each `patience` seconds."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=patience)


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or until the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0)):
            await event.wait()
