"""Many look-ups, one statement: what is asked for while a query is under way is asked for together in the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Batches(Generic[K, V]):
    """Looks keys up as `read` does, many at a time when many are asked for. Nothing is kept.

    Args:
        read: returns the values of keys; a key without one is left out.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._next: dict[K, asyncio.Future[V | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """Return a key's value, as it is after this call began; None where there is none."""
        if key not in self._next:
            self._next[key] = asyncio.get_running_loop().create_future()
        answer = self._next[key]
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="batched look-ups")
        return await asyncio.shield(answer)

    async def _work(self) -> None:
        try:
            while self._next:
                asked, self._next = self._next, {}
                await self._answer(asked)
        finally:
            self._task = None

    async def _answer(self, asked: "dict[K, asyncio.Future[V | None]]") -> None:
        try:
            found = await self._read(list(asked))
        except BaseException as error:
            for answer in asked.values():
                if isinstance(error, Exception):
                    answer.set_exception(error)
                else:
                    answer.cancel()
                # Nobody may be waiting any more.
                answer.cancelled() or answer.exception()
            if not isinstance(error, Exception):
                raise
            return
        for key, answer in asked.items():
            answer.set_result(found.get(key))
