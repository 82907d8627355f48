"""Wake-ups between processes: one LISTEN connection each, run ids only. Readers poll as well, in case one is lost."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg import AsyncConnection

from core.tasks import end, wait_at_most
from db.wire import Wire
from server.runs.feed import Feed

log = structlog.get_logger(__name__)

_CHANNEL: Final = "colloquy_runs"
_CANCEL: Final = "cancel:"
# Followed by the id of the broker that says it.
_HELLO: Final = "hello:"
_HERE: Final = "here:"
_RECONNECT_SECONDS: Final = 0.5
_TELL_SECONDS: Final = 0.02
_LOOK_AROUND_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 1.0
_TELL: Final = "SELECT pg_notify(%s, id) FROM unnest(%s::text[]) AS id"
# News is not kept: its commits need not wait for the disk, nor runs' commits behind them.
_UNSAVED: Final = "-c synchronous_commit=off"


async def notify(connection: AsyncConnection[Any], run_id: UUID) -> None:
    """Tell all processes, when the transaction commits, that a run has news."""
    await connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, str(run_id)))


async def notify_cancel(connection: AsyncConnection[Any], run_id: UUID) -> None:
    """Tell the process that executes a run to stop it."""
    await connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, f"{_CANCEL}{run_id}"))


class News(asyncio.Event):
    """Set when a run has news; the reader clears it before it reads."""

    reads_log = True
    """Whether what is committed is news too: not to a reader whom memory has told of it before."""


class Broker:
    """Gives those who wait for a run an event that is set when it has news.

    A broker that is alone tells PostgreSQL nothing. It asks now and then whether it is, and one that comes says hello;
    one that was too busy to answer is told nothing for a minute at most, and polls.
    """

    def __init__(self, url: str, on_cancel: Callable[[UUID], None] = lambda _run_id: None) -> None:
        self._url = url
        self._id = uuid4().hex
        self._teller: Wire | None = None
        self._news: set[str] = set()
        self._has_news = asyncio.Event()
        self._waiting: dict[UUID, set[News]] = defaultdict(set)
        self._feeds: dict[UUID, Feed] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._listens = asyncio.Event()
        self._asks = asyncio.Event()
        # Who answered since the last hello; nobody is alone who has not heard himself.
        self._heard: set[str] = set()
        self._has_others = True
        self.on_cancel = on_cancel

    def start(self) -> None:
        """Begin to listen and to tell, in tasks of its own."""
        self._tasks = [
            asyncio.create_task(self._listen(), name="run broker"),
            asyncio.create_task(self._tell_often(), name="run news"),
            asyncio.create_task(self._look_around(), name="other brokers"),
        ]

    async def stop(self) -> None:
        """Tell what is new, and stop listening."""
        for task in self._tasks:
            await end(task)
        await self._tell_all()
        if self._teller is not None:
            await self._teller.close()

    @contextmanager
    def subscribe(self, run_id: UUID) -> Iterator[News]:
        """Give an event that is set at each news of the run; the reader clears it before it reads."""
        event = News()
        self._waiting[run_id].add(event)
        try:
            yield event
        finally:
            self._waiting[run_id].discard(event)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    @contextmanager
    def feeding(self, run_id: UUID, feed: Feed) -> Iterator[None]:
        """Let the run's readers in this process read from memory while the block runs."""
        self._feeds[run_id] = feed
        try:
            yield
        finally:
            # Its next attempt may have begun in this process already.
            if self._feeds.get(run_id) is feed:
                del self._feeds[run_id]
            self.wake(run_id)

    def feed_of(self, run_id: UUID) -> Feed | None:
        """Return the memory of a run that this process executes."""
        return self._feeds.get(run_id)

    def tell(self, run_id: UUID) -> None:
        """Wake the readers of a run in all processes, soon: what they look for is committed."""
        self._committed(run_id)
        if self._has_others:
            self._say(str(run_id))

    def _say(self, payload: str) -> None:
        self._news.add(payload)
        self._has_news.set()

    def wake(self, run_id: UUID) -> None:
        """Wake the readers of a run in this process."""
        for event in self._waiting.get(run_id, ()):
            event.set()

    def _committed(self, run_id: UUID) -> None:
        for event in self._waiting.get(run_id, ()):
            if event.reads_log:
                event.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(self._url, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {_CHANNEL}")
                    self._wake_all()
                    # Who came meanwhile was not heard.
                    self._has_others = True
                    self._listens.set()
                    self._asks.set()
                    async for notification in connection.notifies():
                        self._dispatch(notification.payload)
            except psycopg.Error as error:
                log.warning("run_broker_reconnects", error=type(error).__name__)
            self._listens.clear()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _look_around(self) -> None:
        while True:
            await self._listens.wait()
            self._asks.clear()
            self._heard.clear()
            self._say(_HELLO + self._id)
            await asyncio.sleep(_ANSWER_SECONDS)
            if not self._asks.is_set():
                self._has_others = self._heard != {self._id}
            # Who could not ask tries again soon.
            await wait_at_most(self._asks, _LOOK_AROUND_SECONDS if self._heard else _ANSWER_SECONDS)

    def _hear(self, other: str) -> None:
        self._heard.add(other)
        self._has_others = self._has_others or other != self._id

    async def _tell_often(self) -> None:
        while True:
            await self._has_news.wait()
            await asyncio.sleep(_TELL_SECONDS)
            await self._tell_all()

    async def _tell_all(self) -> None:
        # Not in the transactions of commits: those that notify wait for one another in PostgreSQL.
        self._has_news.clear()
        news, self._news = self._news, set()
        if not news:
            return
        try:
            if self._teller is not None and self._teller.is_closed:
                await self._teller.close()
                self._teller = None
            if self._teller is None:
                self._teller = await Wire.connect(self._url, options=_UNSAVED)
            await self._teller.execute((_TELL, (_CHANNEL, list(news))))
        except psycopg.Error as error:
            log.warning("run_news_not_told", error=type(error).__name__)

    def _dispatch(self, payload: str) -> None:
        if payload.startswith(_HELLO):
            self._hear(payload.removeprefix(_HELLO))
            self._say(_HERE + self._id)
        elif payload.startswith(_HERE):
            self._hear(payload.removeprefix(_HERE))
        else:
            with suppress(ValueError):
                if payload.startswith(_CANCEL):
                    self.on_cancel(UUID(payload.removeprefix(_CANCEL)))
                else:
                    self._committed(UUID(payload))

    def _wake_all(self) -> None:
        # What was said while nobody listened is in the log.
        for run_id in list(self._waiting):
            self.wake(run_id)
