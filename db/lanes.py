"""Group commit: small statements of many callers go to PostgreSQL in few transactions.

Each lane has a connection of its own and sends what waits, up to 64 statements, in one pipeline and one commit.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
import structlog

from core.tasks import end
from db.url import for_psycopg, search_path_option
from db.wire import Executed, Order, Row, Wire

log = structlog.get_logger(__name__)

# One takes most statements into one commit; more of them had more commits and no more runs a second (bench/engine).
_LANES: Final = 1
_MOST: Final = 64
# A restart of PostgreSQL takes less; whoever waits longer is told.
_PATIENCE_SECONDS: Final = 30.0
_RECONNECT_SECONDS: Final = 0.2
# Who waits longer than that for a row's lock waits on his own, and not all others with him.
_LOCK_TIMEOUT: Final = "200ms"
_PARKED_SECONDS: Final = 0.1
# What went ahead holds its thread's row; and others see it when it is committed.
_AHEAD_SECONDS: Final = 0.005
_ALONE: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)


@dataclass(eq=False)
class _Order:
    """A statement that waits for its commit."""

    key: UUID
    statement: LiteralString
    parameters: Sequence[Any]
    executed: Callable[[Row], None] | None = None
    after: "asyncio.Future[Row] | None" = None
    answer: "asyncio.Future[Row]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    since: float = field(default_factory=lambda: asyncio.get_running_loop().time())


class Lanes:
    """Commits statements in the order of their key's lane; each gives one row.

    A statement whose commit was not heard of (the connection broke) is sent again: it has to be one that may be.
    """

    def __init__(self, url: str, *, count: int = _LANES) -> None:
        self._lanes = [_Lane(for_psycopg(url), number) for number in range(count)]

    def start(self) -> None:
        """Begin to commit; connections are made when there is something."""
        for lane in self._lanes:
            lane.start()

    async def stop(self) -> None:
        """Commit what waits, as far as the database answers at once, and close."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes))

    def submit(
        self,
        key: UUID,
        statement: LiteralString,
        parameters: Sequence[Any],
        executed: Callable[[Row], None] | None = None,
        after: "asyncio.Future[Row] | None" = None,
    ) -> "asyncio.Future[Row]":
        """Return the row that `statement` will give, once it is committed.

        Args:
            key: statements of one key are committed in their order.
            statement: gives one row.
            parameters: the statement's.
            executed: may be called with the row before it is committed: what waits only for the disk may go on.
                Where the commit is lost, the statement is executed again, and its row may be another one then.
            after: an earlier one's, of this key: where that has failed, this one fails too.

        Raises (the future):
            psycopg.Error: the statement failed; its neighbours did not.
        """
        order = _Order(key, statement, parameters, executed, after)
        self._lane(key).add(order)
        return order.answer

    def go_ahead(
        self, key: UUID, statement: LiteralString, parameters: Callable[[], Sequence[Any]]
    ) -> "asyncio.Future[Row] | None":
        """Let a statement be executed at once where nothing else is under way; it is committed soon, with the next one.

        Args:
            key: as for `submit`.
            statement: as for `submit`.
            parameters: makes the statement's, where it is sent.

        Returns:
            As `submit`; None where it was not sent, and should wait for others.
        """
        return self._lane(key).go_ahead(key, statement, parameters)

    def hurry(self, key: UUID) -> None:
        """Commit what went ahead."""
        self._lane(key).hurry()

    def _lane(self, key: UUID) -> "_Lane":
        return self._lanes[key.int % len(self._lanes)]


class _Lane:
    def __init__(self, url: str, number: int) -> None:
        self._url = url
        self._number = number
        self._orders: deque[_Order] = deque()
        self._parked: dict[UUID, list[_Order]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._wire: Wire | None = None
        self._is_open = False
        # Whether a batch is not answered yet.
        self._is_busy = False
        self._is_about_to = False
        self._was_alone = False
        # What is executed, and committed with what comes next, or when a moment has passed.
        self._ahead: _Order | None = None
        self._ahead_until: asyncio.TimerHandle
        self._mending: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._is_open = True

    async def stop(self) -> None:
        while not self._idle.is_set():
            await self._idle.wait()
        self._is_open = False
        await end(self._mending)
        await self._disconnect()

    def add(self, order: _Order) -> None:
        if not self._is_open:
            raise psycopg.InterfaceError("the commit lanes are closed")
        self._orders.append(order)
        self._idle.clear()
        if self._was_alone and not (self._is_busy or self._is_about_to):
            self._next()
        else:
            self._soon()

    def go_ahead(
        self, key: UUID, statement: LiteralString, parameters: Callable[[], Sequence[Any]]
    ) -> "asyncio.Future[Row] | None":
        wire = self._wire
        if not self._is_calm or self._ahead is not None or wire is None or wire.is_closed:
            return None
        order = _Order(key, statement, parameters())
        self._idle.clear()
        try:
            has_gone = wire.go_ahead((statement, order.parameters))
        except Exception:  # noqa: BLE001 - on its usual way it fails again, and is told of
            has_gone = False
        if has_gone:
            self._ahead = order
            self._ahead_until = asyncio.get_running_loop().call_later(_AHEAD_SECONDS, self.hurry)
        else:
            self.add(order)
        return order.answer

    def hurry(self) -> None:
        if self._ahead is not None and not self._is_busy:
            self._next()

    @property
    def _is_calm(self) -> bool:
        return self._was_alone and not (self._is_busy or self._is_about_to or self._orders or self._parked)

    def _soon(self) -> None:
        """Send in a moment: others may come by then, and share the commit."""
        if not (self._is_busy or self._is_about_to):
            self._is_about_to = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """Send what waits."""
        self._is_about_to = False
        batch: list[_Order] = []
        while self._orders and not batch and not self._is_held_up:
            batch = self._taken()
        if batch or self._ahead is not None:
            self._is_busy, self._was_alone = True, len(batch) <= 1
            # In one order everywhere: two processes that lock several threads do not wait for one another.
            self._send(sorted(batch, key=lambda order: order.key))
        elif not self._parked:
            self._idle.set()

    @property
    def _is_held_up(self) -> bool:
        """Whether what went ahead is committed first: it would lock its thread before others, in any order."""
        ahead = self._ahead
        return ahead is not None and any(order.key != ahead.key for order in self._orders)

    def _send(self, batch: list[_Order]) -> None:
        told = _executed(batch)
        if self._ahead is not None:
            self._ahead_until.cancel()
            batch, self._ahead = [self._ahead, *batch], None
            statements = _statements(batch[1:])
        else:
            statements = _statements(batch)
        if self._wire is None or self._wire.is_closed:
            self._mend(batch, None)
            return
        try:
            self._wire.send(statements, partial(self._answered, batch), told)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            self._mend(batch, error)

    def _answered(self, batch: list[_Order], outcome: list[Row | None] | Exception) -> None:
        if isinstance(outcome, Exception):
            self._mend(batch, outcome)
        else:
            _answer(batch, outcome)
            self._is_busy = False
            self._next()

    def _taken(self) -> list[_Order]:
        batch = [self._orders.popleft() for _ in range(min(_MOST, len(self._orders)))]
        for order in batch:
            if order.key in self._parked:
                self._parked[order.key].append(order)
        return _not_in_vain([order for order in batch if order.key not in self._parked])

    def _park(self, order: _Order, error: psycopg.Error) -> None:
        """Set an order aside that waits for a lock, and with it those of its key that come after it."""
        if asyncio.get_running_loop().time() - order.since > _PATIENCE_SECONDS:
            _fail([order], error)
            return
        key = order.key
        self._parked.setdefault(key, []).append(order)
        asyncio.get_running_loop().call_later(_PARKED_SECONDS, self._unpark, key)

    def _unpark(self, key: UUID) -> None:
        self._orders.extendleft(reversed(self._parked.pop(key, [])))
        self._soon()

    def _mend(self, batch: list[_Order], error: Exception | None) -> None:
        """Do with time what did not go at once: connect, send again, ask alone."""
        self._mending = asyncio.create_task(self._mended(batch, error), name=f"commit lane {self._number}")

    async def _mended(self, batch: list[_Order], error: Exception | None) -> None:
        try:
            await self._commit(batch if error is None else await self._after(batch, error, is_new=False))
        finally:
            self._is_busy = False
            if self._is_open:
                self._next()

    async def _commit(self, batch: list[_Order]) -> None:
        while batch:
            is_new = self._wire is None or self._wire.is_closed
            try:
                wire = await self._connected()
                _answer(batch, await wire.commit(_statements(batch), _executed(batch)))
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
                batch = await self._after(batch, error, is_new=is_new)
            else:
                return

    async def _after(self, batch: list[_Order], error: Exception, *, is_new: bool) -> list[_Order]:
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

    async def _fail_alone(self, batch: list[_Order], error: Exception) -> None:
        if len(batch) == 1:
            _fail(batch, error)
        else:
            await self._one_by_one(batch)

    async def _one_by_one(self, batch: list[_Order]) -> None:
        # One of them spoilt the transaction for all.
        for order in batch:
            if order.key in self._parked:
                self._parked[order.key].append(order)
            else:
                await self._commit(_not_in_vain([order]))

    async def _after_break(self, batch: list[_Order], error: psycopg.OperationalError) -> list[_Order]:
        """Give up what has waited too long, and return the rest after a moment."""
        log.warning("commit_lane_reconnects", error=type(error).__name__, waiting=len(batch) + len(self._orders))
        await self._disconnect()
        now = asyncio.get_running_loop().time()
        late = [order for order in batch if now - order.since > _PATIENCE_SECONDS]
        _fail(late, error)
        await asyncio.sleep(_RECONNECT_SECONDS)
        return [order for order in batch if order not in late]

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


def _not_in_vain(batch: list[_Order]) -> list[_Order]:
    """Return those of a batch that depend on nothing that has failed; the others have failed too."""
    kept: list[_Order] = []
    for order in batch:
        before = order.after
        failure = before.exception() if before is not None and before.done() and not before.cancelled() else None
        if isinstance(failure, Exception):
            _fail([order], failure)
        else:
            kept.append(order)
    return kept


def _statements(batch: list[_Order]) -> list[Order]:
    return [(order.statement, order.parameters) for order in batch]


def _answer(batch: list[_Order], rows: list[Row | None]) -> None:
    for order, row in zip(batch, rows, strict=True):
        if not order.answer.done():
            order.answer.set_result(row or {})


def _executed(batch: list[_Order]) -> Executed | None:
    # Among many, word of one would cost all of them more than it gains.
    told = batch[0].executed if len(batch) == 1 else None
    if told is None:
        return None

    def tell(rows: list[Row | None]) -> None:
        try:
            told(rows[0] or {})
        except Exception:
            # What goes wrong there is not to end the lane; the commit is told of too.
            log.exception("early_word_failed")

    return tell


def _fail(orders: Sequence[_Order], error: Exception) -> None:
    for order in orders:
        if not order.answer.done():
            order.answer.set_exception(error)
