"""Runs that begin in the same moment begin a few at a time: then the first of them soon have something to tell."""

import asyncio
from collections import deque
from typing import Final

# About as many turns of the event loop as a run takes from its claim to its first step's first word. A loop that has
# nothing else to do turns so often in a tenth of a millisecond; a busy one does some runs' first steps meanwhile.
_TURNS: Final = 12
# One by one they would tell their first word sooner still, but each turn of the loop costs some microseconds, which
# those that begin together share.
_TOGETHER: Final = 4


class Starts:
    """Gives runs their turns to begin, in the order in which they ask.

    Side by side, all of many runs would tell their first word when the last of them could. The pause between some of
    them and the next is counted in turns of the loop and not in time: nobody waits while there is nothing to do.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turns_left = 0
        self._places_left = _TOGETHER

    @property
    def is_calm(self) -> bool:
        """Whether no other run begins just now."""
        return self._turns_left == 0

    async def turn(self) -> None:
        """Return when the run may begin."""
        loop = asyncio.get_running_loop()
        if self.is_calm:
            self._turns_left, self._places_left = _TURNS, _TOGETHER
            loop.call_soon(self._count, loop)
        if self._places_left:
            self._places_left -= 1
            return
        waiting = loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def _count(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turns_left -= 1
        if self._turns_left == 0 and self._waiting:
            self._turns_left, self._places_left = _TURNS, _TOGETHER
            while self._waiting and self._places_left:
                first = self._waiting.popleft()
                if not first.done():
                    first.set_result(None)
                    self._places_left -= 1
        if self._turns_left:
            loop.call_soon(self._count, loop)
