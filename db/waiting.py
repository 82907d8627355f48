"""What waits for its commit, and who is told of it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

import structlog

from db.wire import Executed, Order, Row

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Waiting:
    """A statement that waits for its commit."""

    key: UUID
    statement: LiteralString
    parameters: Sequence[Any]
    executed: Callable[[Row], None] | None = None
    after: "asyncio.Future[Row] | None" = None
    answer: "asyncio.Future[Row]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    since: float = field(default_factory=lambda: asyncio.get_running_loop().time())


def not_in_vain(batch: list[Waiting]) -> list[Waiting]:
    """Return those of a batch that depend on nothing that has failed; the others have failed too."""
    kept: list[Waiting] = []
    for order in batch:
        before = order.after
        failure = before.exception() if before is not None and before.done() and not before.cancelled() else None
        if isinstance(failure, Exception):
            fail([order], failure)
        else:
            kept.append(order)
    return kept


def statements_of(batch: list[Waiting]) -> list[Order]:
    """Return what is to be sent."""
    return [(order.statement, order.parameters) for order in batch]


def give(batch: list[Waiting], rows: list[Row | None]) -> None:
    """Tell each of its row: it is committed."""
    for order, row in zip(batch, rows, strict=True):
        if not order.answer.done():
            order.answer.set_result(row or {})


def early_word_of(batch: list[Waiting]) -> Executed | None:
    """Return what is to be told before the commit."""
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


def fail(orders: Sequence[Waiting], error: Exception) -> None:
    """Tell each that it is not committed, and why."""
    for order in orders:
        if not order.answer.done():
            order.answer.set_exception(error)
