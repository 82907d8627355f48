"""Runs that begin in the same moment begin one after the other: then the first of them soon has something to tell."""

import asyncio
from collections import deque
from typing import Final

# About as many turns of the event loop as a run takes from its claim to its first step's first word. A loop that has
# nothing else to do turns so often in a tenth of a millisecond; a busy one does a run's first step meanwhile.
_TURNS: Final = 12


class Starts:
    """Gives runs their turns to begin, in the order in which they ask.

    Side by side, all of many runs would tell their first word when the last of them could. The pause between two of
    them is counted in turns of the loop and not in time: nobody waits while there is nothing to do.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turns_left = 0

    @property
    def is_calm(self) -> bool:
        """Whether a run may begin now without having to wait."""
        return self._turns_left == 0

    async def turn(self) -> None:
        """Return when the run may begin."""
        loop = asyncio.get_running_loop()
        if self.is_calm:
            self._turns_left = _TURNS
            loop.call_soon(self._count, loop)
            return
        waiting = loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def _count(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turns_left -= 1
        if self._turns_left == 0:
            while self._waiting:
                first = self._waiting.popleft()
                if not first.done():
                    first.set_result(None)
                    self._turns_left = _TURNS
                    break
        if self._turns_left:
            loop.call_soon(self._count, loop)
