"""What the parts of one recording share while they are transcribed side by side: its file, and their turns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from nodes.common.storage import storage

# Of one recording: other people's wait for the vendor's limits as well. LangGraph's own limit of concurrency would hold
# back the saver's writes too, and what is paid for must be safe at once.
AT_ONCE: Final = 3
# LangGraph takes a part's result some turns of the loop after the part has left.
_TAKEN_SECONDS: Final = 0.05


class Work:
    """The parts of one recording that are transcribed in this process.

    Args:
        key: the recording's place in storage.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self.members = 0
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._opening = asyncio.Lock()
        self._held = AsyncExitStack()
        self._path: Path | None = None
        self._running = 0
        self._idle = asyncio.Event()
        self._failure: Exception | None = None

    async def recording(self) -> Path:
        """Return the recording's file, which all parts read: where storage is far away it is fetched once.

        Raises:
            NotFound: it is gone.
        """
        async with self._opening:
            if self._path is None:
                self._path = await self._held.enter_async_context(storage().file(self._key))
            return self._path

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and take it.

        When a part fails, LangGraph cancels the others, which may be paid for already. So a failure waits until those
        that have begun are through, and no other one begins.

        Raises:
            Exception: what another part failed by.
        """
        async with self._slots:
            if self._failure is not None:
                await self._others_are_through()
                raise self._failure
            self._running += 1
            self._idle.clear()
            try:
                yield
            except Exception as error:
                self._failure = self._failure or error
                self._leave()
                await self._others_are_through()
                raise
            except BaseException:
                self._leave()
                raise
            self._leave()

    def _leave(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    async def _others_are_through(self) -> None:
        await self._idle.wait()
        await asyncio.sleep(_TAKEN_SECONDS)

    async def aclose(self) -> None:
        """Give the recording back."""
        await self._held.aclose()


_works: dict[tuple[str, int], Work] = {}


@asynccontextmanager
async def shared(key: str) -> AsyncIterator[Work]:
    """Join the parts of the recording that is stored under a key; the last one that leaves gives the file back.

    By its key and not by its session: what a run says of sessions may be a client's word, who does not know the key.
    """
    place = (key, id(asyncio.get_running_loop()))
    work = _works.setdefault(place, Work(key))
    work.members += 1
    try:
        yield work
    finally:
        work.members -= 1
        if not work.members:
            del _works[place]
            await work.aclose()
