"""The statements that one connection has prepared: their names, their parameters' forms, their rows."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import count
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq.abc import PGresult

Row = dict[str, Any]
Order = tuple[LiteralString, Sequence[Any]]
"""A statement with `%s` (or `%b`: sent in binary form), and its parameters."""

_PLACEHOLDER: Final = re.compile(r"%([sb])")
_FORMATS: Final = {"s": PyFormat.AUTO, "b": PyFormat.BINARY}


class _Statement(NamedTuple):
    text: bytes
    formats: list[PyFormat]


class Key(NamedTuple):
    """What one prepared statement is for: the text, and the types of its parameters."""

    text: bytes
    types: tuple[int, ...]


class Bound(NamedTuple):
    """A statement with its parameters as the server takes them."""

    key: Key
    values: Sequence[Any]
    formats: Sequence[int] | None


class Prepared:
    """What a connection has prepared, which it forgets as a whole, with the connection."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._names: dict[Key, bytes] = {}
        self._columns: dict[Key, list[str]] = {}
        self._numbers = count()

    def bound(self, order: Order) -> Bound:
        """Return a statement with its parameters.

        Raises:
            psycopg.Error: some of them have no form that the server takes.
        """
        statement = _statement(order[0])
        try:
            values = self._transformer.dump_sequence(order[1], statement.formats)
        except UnicodeEncodeError:
            # psycopg lets it pass; whoever sends for many has to know it as the fault of one order.
            raise psycopg.DataError("a text cannot be encoded") from None
        return Bound(Key(statement.text, self._transformer.types or ()), values, self._transformer.formats)

    def prepare(self, keys: Iterable[Key]) -> dict[Key, bytes]:
        """Send what the server does not know yet to be prepared; returns the names, for `keep`."""
        unknown = dict.fromkeys(key for key in keys if key not in self._names)
        new = {key: f"wire_{next(self._numbers)}".encode() for key in unknown}
        for key, name in new.items():
            self._pgconn.send_prepare(name, key.text, key.types)
        return new

    def keep(self, known: Iterable[tuple[Key, bytes]]) -> None:
        """Note what the server has prepared."""
        self._names.update(known)

    def send(self, bound: Bound, new: dict[Key, bytes]) -> None:
        """Send a statement to be executed; `new` are those that are being prepared."""
        name = self._names.get(bound.key) or new[bound.key]
        self._pgconn.send_query_prepared(name, bound.values, bound.formats)

    def row(self, key: Key, result: PGresult | None) -> Row | None:
        """Return the first row of a statement's result, as Python's types."""
        if result is None or not result.ntuples:
            return None
        columns = self._columns.get(key)
        if columns is None:
            found = [result.fname(number) or b"" for number in range(result.nfields)]
            columns = self._columns[key] = [column.decode() for column in found]
        self._transformer.set_pgresult(result)
        values: tuple[Any, ...] = self._transformer.load_row(0, tuple) or ()
        return dict(zip(columns, values, strict=True))


@cache
def _statement(text: LiteralString) -> _Statement:
    """Return a statement with the server's placeholders, and the forms of its parameters."""
    formats = [_FORMATS[letter] for letter in _PLACEHOLDER.findall(text)]
    numbers = iter(range(1, len(formats) + 1))
    return _Statement(_PLACEHOLDER.sub(lambda _: f"${next(numbers)}", text).encode(), formats)
