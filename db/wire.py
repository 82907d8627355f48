"""One connection that sends prepared statements and waits for nothing else: what a commit lane needs, and no more.

psycopg's cursors serve any statement: each wait takes the socket into the event loop and out of it again, which are ten
system calls, and each statement makes a cursor. Here the loop watches the socket as long as the connection lives.
"""

import asyncio
import os
from collections.abc import Callable, Generator, Sequence
from contextvars import copy_context
from select import POLLIN, poll
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from db.prepared import Key, Order, Prepared, Row

__all__ = ["Answered", "Executed", "Order", "Row", "Wire"]

Executed = Callable[[list[Row | None]], None]
Answered = Callable[[list[Row | None] | Exception], None]

_FAILED: Final = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)
_LOOK_SECONDS: Final = 0.25

_T = TypeVar("_T")
_Reading = Generator[None, None, _T]
"""Yields where more has to come before it can be read on."""


class _Refused(Exception):
    """The server did not do what it was told; the connection is as before."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.error = error


class Wire:
    """Executes statements one after the other, for one caller at a time; each commits, or some of them together.

    What comes is read where the loop tells of it, and who waits is called from there, without a turn of the loop for
    each of both.
    """

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        # One of our own: where the connection breaks, libpq closes its, and no loop can then stop watching that.
        self._socket = os.dup(connection.fileno())
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._prepared = Prepared(connection)
        # What reads the answers to what is under way, and who waits for them.
        self._reading: _Reading[list[Row | None]] | None = None
        self._answered: Answered | None = None
        self._is_pushing = False
        self._broken: Exception | None = None
        self._pgconn.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._read)
        self._looking = self._loop.call_later(_LOOK_SECONDS, self._look)

    @classmethod
    async def connect(cls, url: str, *, options: str) -> Self:
        """Connect.

        Raises:
            psycopg.OperationalError: the server is not to be had.
        """
        return cls(await AsyncConnection.connect(url, autocommit=True, options=options))

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent now, also because what was sent before is not answered yet."""
        return self._broken is not None or self._reading is not None or self._pgconn.status == ConnStatus.BAD

    async def close(self) -> None:
        """Close the connection; what was under way is given up."""
        self._unwatch()
        await self._connection.close()

    async def execute(self, order: Order) -> Row | None:
        """Execute a statement and commit it; return its first row.

        Raises:
            psycopg.Error: it failed, or the connection broke.
        """
        return (await self.commit([order]))[0]

    async def commit(self, orders: Sequence[Order], executed: Executed | None = None) -> list[Row | None]:
        """Execute statements in one round trip and one transaction; return the first row of each.

        Args:
            orders: as for `send`.
            executed: as for `send`.

        Raises:
            psycopg.Error: one of them failed, and nothing is committed; or the connection broke.
        """
        answer: asyncio.Future[list[Row | None]] = self._loop.create_future()

        def answered(outcome: list[Row | None] | Exception) -> None:
            if answer.done():
                return
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        self.send(orders, answered, executed)
        return await answer

    def send(self, orders: Sequence[Order], answered: Answered, executed: Executed | None = None) -> None:
        """Send statements that are executed in one transaction.

        Args:
            orders: the statements. What a pipeline holds is one transaction, without BEGIN and COMMIT.
            answered: is called once: with the first row of each when they are committed, or with what failed; then
                nothing is committed, or it is not known.
            executed: is called with the rows when all are executed and none failed, before they are committed.

        Raises:
            psycopg.Error: nothing is under way; what cannot be sent leaves the connection as it is.
        """
        if self.is_closed:
            raise psycopg.OperationalError("the connection is closed") from self._broken
        bounds = [self._prepared.bound(order) for order in orders]
        try:
            new = self._prepared.prepare(bound.key for bound in bounds)
            for bound in bounds:
                self._prepared.send(bound, new)
            if executed is not None:
                self._pgconn.send_flush_request()
            self._pgconn.pipeline_sync()
            self._push()
        except psycopg.Error as error:
            self._break(error)
            raise
        self._reading = self._answers(new, [bound.key for bound in bounds], executed)
        self._answered = answered

    def _answers(self, new: dict[Key, bytes], keys: list[Key], executed: Executed | None) -> _Reading[list[Row | None]]:
        """Read the answers, as far as they are there each time; gives the rows.

        Raises:
            _Refused: a statement, or the commit, failed.
        """
        results: list[PGresult | None] = [None] * (len(new) + len(keys))
        for number in range(len(results)):
            results[number] = yield from self._only_result()
        # What was prepared stays so, whatever fails after it.
        prepared = zip(new.items(), results, strict=False)
        self._prepared.keep(one for one, result in prepared if result and result.status == ExecStatus.COMMAND_OK)
        failed = next((result for result in results if _has_failed(result)), None)
        rows: list[Row | None] = []
        if failed is None:
            rows = [self._prepared.row(key, result) for key, result in zip(keys, results[len(new) :], strict=True)]
            if executed is not None:
                executed(rows)
        failed = (yield from self._end_of_pipeline()) or failed
        if failed is not None:
            raise _Refused(error_from_result(failed))
        return rows

    def _end_of_pipeline(self) -> _Reading[PGresult | None]:
        """Wait until the transaction is over; gives its failure, where it could not be committed."""
        ended = yield from self._result()
        if ended is None or ended.status == ExecStatus.PIPELINE_SYNC:
            return None
        while (result := (yield from self._result())) is None or result.status != ExecStatus.PIPELINE_SYNC:
            if self._pgconn.status == ConnStatus.BAD:
                break
        return ended

    def _only_result(self) -> _Reading[PGresult | None]:
        result = yield from self._result()
        # A statement's results end with none, also where it failed.
        if result is not None:
            yield from self._result()
        return result

    def _result(self) -> _Reading[PGresult | None]:
        while self._pgconn.is_busy():
            yield
        return self._pgconn.get_result()

    def _push(self) -> None:
        """Give the socket what it takes, and the rest when it takes more."""
        is_left = bool(self._pgconn.flush())
        if is_left and not self._is_pushing:
            # As what is read: not in the context of who sends.
            self._context.run(self._loop.add_writer, self._socket, self._go_on, self._push)
        elif self._is_pushing and not is_left:
            self._loop.remove_writer(self._socket)
        self._is_pushing = is_left

    def _read(self) -> None:
        self._go_on(self._pgconn.consume_input)

    def _go_on(self, move: Callable[[], None]) -> None:
        """Let bytes go one way or the other; read what has come by then."""
        try:
            move()
            if self._reading is None:
                return
            next(self._reading)
        except StopIteration as ended:
            self._tell(ended.value)
        except _Refused as refused:
            self._tell(refused.error)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            self._break(error)

    def _break(self, error: Exception) -> None:
        """Send and read no more; tell who waits."""
        self._broken = error
        self._unwatch()
        self._tell(error)

    def _tell(self, outcome: list[Row | None] | Exception) -> None:
        answered, self._answered, self._reading = self._answered, None, None
        if answered is not None:
            answered(outcome)

    def _look(self) -> None:
        """See now and then that what has come was told of: a loop loses a socket's watch where numbers are used again.

        It was seen once, at a broken connection, after PostgreSQL had been killed several times; who waits for an
        answer would wait for ever. psycopg's own waits end ten times a second for the same reason.
        """
        self._looking = self._loop.call_later(_LOOK_SECONDS, self._look)
        if self._reading is None:
            return
        waiting = poll()
        waiting.register(self._socket, POLLIN)
        if waiting.poll(0):
            self._loop.remove_reader(self._socket)
            self._loop.add_reader(self._socket, self._read)
            self._read()
        else:
            # To send reads as well, where the other side waits to be read.
            self._go_on(self._push)

    def _unwatch(self) -> None:
        # The number may be another socket's by the time that the connection is closed a second time.
        if self._socket >= 0:
            self._looking.cancel()
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            os.close(self._socket)
            self._socket = -1


def _has_failed(result: PGresult | None) -> bool:
    return result is not None and result.status in _FAILED
