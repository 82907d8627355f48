"""One connection that sends prepared statements and waits for nothing else: what a commit lane needs, and no more.

psycopg's cursors serve any statement: each wait takes the socket into the event loop and out of it again, which are ten
system calls, and each statement makes a cursor. Here the loop watches the socket as long as the connection lives.
"""

import asyncio
import os
import re
from collections.abc import Sequence
from functools import cache
from select import POLLIN, poll
from typing import Any, Final, LiteralString, NamedTuple, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

Row = dict[str, Any]
Order = tuple[LiteralString, Sequence[Any]]
"""A statement with `%s` (or `%b`: sent in binary form), and its parameters."""

_PLACEHOLDER: Final = re.compile(r"%([sb])")
_FORMATS: Final = {"s": PyFormat.AUTO, "b": PyFormat.BINARY}
_BEGIN: Final[Order] = ("BEGIN", ())
_COMMIT: Final[Order] = ("COMMIT", ())
_FAILED: Final = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE, ExecStatus.PIPELINE_ABORTED)
_LOOK_SECONDS: Final = 0.25


class _Statement(NamedTuple):
    text: bytes
    formats: list[PyFormat]


class Wire:
    """Executes statements one after the other, for one caller at a time; each commits, or some of them together."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        # One of our own: where the connection breaks, libpq closes its, and no loop can then stop watching that.
        self._socket = os.dup(connection.fileno())
        self._loop = asyncio.get_running_loop()
        self._transformer = Transformer(connection)
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._names: dict[bytes, list[str]] = {}
        self._woken: asyncio.Future[None] | None = None
        self._broken: psycopg.Error | None = None
        self._is_under_way = False
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
        """Whether nothing can be sent any more, also because who sent something did not wait for its answer."""
        return self._broken is not None or self._is_under_way or self._pgconn.status == ConnStatus.BAD

    @property
    def is_idle(self) -> bool:
        """Whether no transaction is open, or was given up half-way."""
        return not self.is_closed and self._pgconn.transaction_status == TransactionStatus.IDLE

    async def close(self) -> None:
        """Close the connection; what was under way is given up."""
        self._unwatch()
        await self._connection.close()

    async def execute(self, order: Order) -> Row | None:
        """Execute a statement and commit it; return its first row.

        Raises:
            psycopg.Error: it failed, or the connection broke.
        """
        name, values, formats = await self._ready(order)
        self._is_under_way = True
        self._pgconn.send_query_prepared(name, values, formats)
        await self._flush()
        result = await self._only_result()
        self._is_under_way = False
        return self._row(name, result)

    async def commit(self, orders: Sequence[Order]) -> list[Row | None]:
        """Execute statements in one round trip and one transaction; return the first row of each.

        Raises:
            psycopg.Error: one of them failed, or the connection broke; the transaction may be left open.
        """
        ready = [await self._ready(order) for order in (_BEGIN, *orders, _COMMIT)]
        self._is_under_way = True
        self._pgconn.enter_pipeline_mode()
        for name, values, formats in ready:
            self._pgconn.send_query_prepared(name, values, formats)
        self._pgconn.pipeline_sync()
        await self._flush()
        results = [await self._only_result() for _ in ready]
        # The pipeline's own.
        await self._result()
        self._pgconn.exit_pipeline_mode()
        self._is_under_way = False
        # The first error is the reason; what follows it was not executed.
        rows = [self._row(name, result) for (name, _, _), result in zip(ready, results, strict=True)]
        return rows[1:-1]

    async def _ready(self, order: Order) -> tuple[bytes, Sequence[Any], Sequence[int] | None]:
        """Return the name under which a statement is prepared, and its parameters as the server takes them."""
        statement = _statement(order[0])
        try:
            values = self._transformer.dump_sequence(order[1], statement.formats)
        except UnicodeEncodeError:
            # psycopg lets it pass; whoever sends for many has to know it as the fault of one order.
            raise psycopg.DataError("a text cannot be encoded") from None
        types, formats = self._transformer.types or (), self._transformer.formats
        name = self._prepared.get((statement.text, types))
        if name is None:
            name = f"wire_{len(self._prepared)}".encode()
            self._is_under_way = True
            self._pgconn.send_prepare(name, statement.text, types)
            await self._flush()
            result = await self._only_result()
            self._is_under_way = False
            _check(result)
            self._prepared[statement.text, types] = name
        return name, values, formats

    def _row(self, name: bytes, result: PGresult | None) -> Row | None:
        if result is None or result.status != ExecStatus.TUPLES_OK:
            _check(result)
            return None
        columns = self._names.get(name)
        if columns is None:
            found = [result.fname(number) or b"" for number in range(result.nfields)]
            columns = self._names[name] = [column.decode() for column in found]
        if not result.ntuples:
            return None
        self._transformer.set_pgresult(result)
        values: tuple[Any, ...] = self._transformer.load_row(0, tuple) or ()
        return dict(zip(columns, values, strict=True))

    async def _flush(self) -> None:
        while self._pgconn.flush():
            if self._broken is not None:
                raise self._broken
            # The server may not read on before it is rid of its answers: those are read meanwhile.
            self._loop.add_writer(self._socket, self._wake)
            try:
                await self._news()
            finally:
                if self._socket >= 0:
                    self._loop.remove_writer(self._socket)

    async def _only_result(self) -> PGresult | None:
        result = await self._result()
        # A statement's results end with none, also where it failed.
        if result is not None:
            await self._result()
        return result

    async def _result(self) -> PGresult | None:
        while self._pgconn.is_busy():
            await self._news()
        return self._pgconn.get_result()

    async def _news(self) -> None:
        if self._broken is not None:
            raise self._broken
        self._woken = self._loop.create_future()
        try:
            await self._woken
        finally:
            self._woken = None

    def _look(self) -> None:
        """See now and then that what has come was told of: a loop loses a socket's watch where numbers are used again.

        It was seen once, at a broken connection, after PostgreSQL had been killed several times; who waits for an
        answer would wait for ever. psycopg's own waits end ten times a second for the same reason.
        """
        self._looking = self._loop.call_later(_LOOK_SECONDS, self._look)
        if self._woken is None:
            return
        waiting = poll()
        waiting.register(self._socket, POLLIN)
        if waiting.poll(0):
            self._loop.remove_reader(self._socket)
            self._loop.add_reader(self._socket, self._read)
            self._read()
        else:
            # Who waits to send on looks for himself.
            self._wake()

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
        except psycopg.Error as error:
            self._broken = error
            self._unwatch()
            if self._woken is not None and not self._woken.done():
                self._woken.set_exception(error)
            return
        self._wake()

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def _unwatch(self) -> None:
        # The number may be another socket's by the time that the connection is closed a second time.
        if self._socket >= 0:
            self._looking.cancel()
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            os.close(self._socket)
            self._socket = -1


@cache
def _statement(text: LiteralString) -> _Statement:
    """Return a statement with the server's placeholders, and the forms of its parameters."""
    formats = [_FORMATS[letter] for letter in _PLACEHOLDER.findall(text)]
    numbers = iter(range(1, len(formats) + 1))
    return _Statement(_PLACEHOLDER.sub(lambda _: f"${next(numbers)}", text).encode(), formats)


def _check(result: PGresult | None) -> None:
    if result is None:
        raise psycopg.OperationalError("the server gave no answer")
    if result.status in _FAILED:
        raise error_from_result(result)
