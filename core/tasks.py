"""Ending background tasks surely."""

import asyncio
from typing import Any


async def end(task: asyncio.Task[Any] | None, *, patience: float = 1.0) -> None:
    """Cancel a task and wait until it has ended; cancel it again each `patience` seconds.

    A cancellation can get lost: a database driver that is interrupted in the middle of a statement may raise an error
    of its own instead, which a loop that must survive errors then swallows.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=patience)
