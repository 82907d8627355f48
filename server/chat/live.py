"""A turn that this process answers: its task, and what it has told of it so far."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from server.chat.schemas import Answer
from server.chat.turns import Turn


class Live:
    """A turn while it is answered, and for a little while after.

    It goes on without its client: whoever waits for it, waits beside it.
    """

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.run_id: asyncio.Future[UUID] = asyncio.get_running_loop().create_future()
        """Of a deep turn: its run, once it is accepted."""
        self.task: asyncio.Task[Answer] | None = None
        self._told: list[tuple[str, dict[str, Any]]] = []
        self._news = asyncio.Event()

    def begin(self, task: asyncio.Task[Answer]) -> None:
        """Take the task that answers; its failure is for whoever waits, and may be nobody's."""
        self.task = task
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Answer]) -> None:
        failure = None if task.cancelled() else task.exception()
        if not self.run_id.done():
            self.run_id.cancel() if failure is None else self.run_id.set_exception(failure)
        if not self.run_id.cancelled():
            self.run_id.exception()
        self._news.set()

    async def started(self) -> UUID | None:
        """Wait for the turn's run; None where it has none that is known."""
        with suppress(asyncio.CancelledError):
            return await asyncio.shield(self.run_id)
        if self.run_id.cancelled():
            return None
        raise asyncio.CancelledError

    async def answer(self) -> Answer:
        """Wait for the answer; who stops waiting does not stop it.

        Raises:
            ColloquyError: there is none.
        """
        assert self.task is not None  # noqa: S101 - whoever has it, had it begun
        return await asyncio.shield(self.task)

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Keep an event for those who follow."""
        self._told.append((event, data))
        self._news.set()

    def text_told(self) -> str:
        """Return the text as those who follow have it."""
        text = ""
        for event, data in self._told:
            text = "" if event == "reset" else text + data["text"]
        return text

    async def events(self, after: int = 0) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
        """Yield the events from the one after number `after` on, until the turn is answered; they count from 1."""
        assert self.task is not None  # noqa: S101 - whoever has it, had it begun
        number = max(after, 0)
        while True:
            done = self.task.done()
            while number < len(self._told):
                event, data = self._told[number]
                number += 1
                yield number, event, data
            if done:
                return
            self._news.clear()
            if number >= len(self._told) and not self.task.done():
                await self._news.wait()
