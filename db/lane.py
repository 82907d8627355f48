"""One commit lane: a connection of its own, and what waits for it."""

import asyncio
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import Final
from uuid import UUID

import psycopg
import structlog

from core.tasks import end
from db.url import search_path_option
from db.waiting import Waiting, early_word_of, fail, give, not_in_vain, statements_of
from db.wire import Row, Wire

log = structlog.get_logger(__name__)

_MOST: Final = 64
# A restart of PostgreSQL takes less; whoever waits longer is told.
_PATIENCE_SECONDS: Final = 30.0
_RECONNECT_SECONDS: Final = 0.2
# Who waits longer than that for a row's lock waits on his own, and not all others with him.
_LOCK_TIMEOUT: Final = "200ms"
_PARKED_SECONDS: Final = 0.1
_ALONE: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)


class Lane:
    """Commits what is added, in its order as far as one key is concerned; see `Lanes`."""

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        self._number = number
        self._orders: deque[Waiting] = deque()
        self._parked: dict[UUID, list[Waiting]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._wire: Wire | None = None
        self._is_open = False
        # Whether a batch is not answered yet.
        self._is_busy = False
        self._is_about_to = False
        self._was_alone = False
        # Of nobody in particular: what comes of an answer would go on in the context of whoever happened to connect.
        self._context = copy_context()
        self._mending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """As `Lanes.start`."""
        self._is_open = True

    async def stop(self) -> None:
        """As `Lanes.stop`."""
        while not self._idle.is_set():
            await self._idle.wait()
        self._is_open = False
        await end(self._mending)
        await self._disconnect()

    def add(self, order: Waiting) -> None:
        """Commit it, with others or alone; its `answer` tells of that.

        Raises:
            psycopg.InterfaceError: the lane is closed.
        """
        if not self._is_open:
            raise psycopg.InterfaceError("the commit lanes are closed")
        self._orders.append(order)
        self._idle.clear()
        if self._was_alone and not (self._is_busy or self._is_about_to):
            self._next()
        else:
            self._soon()

    @property
    def is_calm(self) -> bool:
        """Whether the lane is free, and who used it last was alone."""
        is_free = not (self._is_busy or self._is_about_to or self._orders or self._parked)
        return is_free and self._was_alone and self._is_open

    def _soon(self) -> None:
        """Send in a moment: others may come by then, and share the commit."""
        if not (self._is_busy or self._is_about_to):
            self._is_about_to = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """Send what waits."""
        self._is_about_to = False
        batch: list[Waiting] = []
        while self._orders and not batch:
            batch = self._taken()
        if batch:
            self._is_busy, self._was_alone = True, len(batch) == 1
            # In one order everywhere: two processes that lock several threads do not wait for one another.
            self._send(sorted(batch, key=lambda order: order.key))
        elif not self._parked:
            self._idle.set()

    def _send(self, batch: list[Waiting]) -> None:
        if self._wire is None or self._wire.is_closed:
            self._mend(batch, None)
            return
        try:
            self._wire.send(statements_of(batch), partial(self._answered, batch), early_word_of(batch))
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            self._mend(batch, error)

    def _answered(self, batch: list[Waiting], outcome: list[Row | None] | Exception) -> None:
        if isinstance(outcome, Exception):
            self._mend(batch, outcome)
        else:
            give(batch, outcome)
            self._is_busy = False
            self._next()

    def _taken(self) -> list[Waiting]:
        batch = [self._orders.popleft() for _ in range(min(_MOST, len(self._orders)))]
        for order in batch:
            if order.key in self._parked:
                self._parked[order.key].append(order)
        return not_in_vain([order for order in batch if order.key not in self._parked])

    def _park(self, order: Waiting, error: psycopg.Error) -> None:
        """Set an order aside that waits for a lock, and with it those of its key that come after it."""
        if asyncio.get_running_loop().time() - order.since > _PATIENCE_SECONDS:
            fail([order], error)
            return
        key = order.key
        self._parked.setdefault(key, []).append(order)
        asyncio.get_running_loop().call_later(_PARKED_SECONDS, self._unpark, key)

    def _unpark(self, key: UUID) -> None:
        self._orders.extendleft(reversed(self._parked.pop(key, [])))
        self._soon()

    def _mend(self, batch: list[Waiting], error: Exception | None) -> None:
        """Do with time what did not go at once: connect, send again, ask alone."""
        self._mending = asyncio.create_task(
            self._mended(batch, error), name=f"commit lane {self._number}", context=self._context
        )

    async def _mended(self, batch: list[Waiting], error: Exception | None) -> None:
        try:
            await self._commit(batch if error is None else await self._after(batch, error, is_new=False))
        finally:
            self._is_busy = False
            if self._is_open:
                self._next()

    async def _commit(self, batch: list[Waiting]) -> None:
        while batch:
            is_new = self._wire is None or self._wire.is_closed
            try:
                wire = await self._connected()
                give(batch, await wire.commit(statements_of(batch), early_word_of(batch)))
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
                batch = await self._after(batch, error, is_new=is_new)
            else:
                return

    async def _after(self, batch: list[Waiting], error: Exception, *, is_new: bool) -> list[Waiting]:
        """Return what of a batch that failed is to be sent again, together; the rest has its answer, or waits."""
        match error:
            case psycopg.errors.FeatureNotSupported() if not is_new:
                # What was prepared before a migration changed a function is refused for good: it is prepared anew.
                await self._disconnect()
                return batch
            case psycopg.OperationalError() if isinstance(error, _ALONE) and len(batch) > 1:
                await self._one_by_one(batch)
            case psycopg.errors.LockNotAvailable():
                self._park(batch[0], error)
            case psycopg.OperationalError():
                return await self._after_break(batch, error)
            case _:
                await self._fail_alone(batch, error)
        return []

    async def _fail_alone(self, batch: list[Waiting], error: Exception) -> None:
        if len(batch) == 1:
            fail(batch, error)
        else:
            await self._one_by_one(batch)

    async def _one_by_one(self, batch: list[Waiting]) -> None:
        # One of them spoilt the transaction for all.
        for order in batch:
            if order.key in self._parked:
                self._parked[order.key].append(order)
            else:
                await self._commit(not_in_vain([order]))

    async def _after_break(self, batch: list[Waiting], error: psycopg.OperationalError) -> list[Waiting]:
        """Give up what has waited too long, and return the rest after a moment."""
        log.warning("commit_lane_reconnects", error=type(error).__name__, waiting=len(batch) + len(self._orders))
        await self._disconnect()
        now = asyncio.get_running_loop().time()
        late = [order for order in batch if now - order.since > _PATIENCE_SECONDS]
        fail(late, error)
        await asyncio.sleep(_RECONNECT_SECONDS)
        return not_in_vain([order for order in batch if order not in late])

    async def _connected(self) -> Wire:
        if self._wire is None or self._wire.is_closed:
            await self._disconnect()
            options = f"{search_path_option()} -c lock_timeout={_LOCK_TIMEOUT}"
            self._wire = await Wire.connect(self._url, options=options)
        return self._wire

    async def _disconnect(self) -> None:
        if self._wire is not None:
            await self._wire.close()
            self._wire = None
