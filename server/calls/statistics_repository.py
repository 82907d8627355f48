"""SQL of the statistics of calls: one statement, one pass over the period's ended calls."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Date, Select, String, cast, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from db.models.calls import CallRecord, HangupReason
from server.calls.repository import CallFilter, matching

UNKNOWN_APP: Final = "未知"
# Written out: a parameter would make the grouped and the selected expression different ones to PostgreSQL.
_DAY: Final[ColumnElement[date]] = cast(func.timezone(literal_column("'Asia/Shanghai'"), CallRecord.start_time), Date)
_APP: Final[ColumnElement[str]] = func.coalesce(
    func.nullif(CallRecord.caller_app, literal_column("''")), literal_column(f"'{UNKNOWN_APP}'"), type_=String
)


@dataclass(frozen=True)
class Grouped:
    """Calls and their seconds by day, by reason, and by app."""

    days: dict[date, tuple[int, int]]
    reasons: dict[HangupReason, int]
    apps: dict[str, int]


async def grouped(session: AsyncSession, user_id: UUID, chosen: CallFilter) -> Grouped:
    """Count the ended calls that match; groups without a call are not among the answer's."""
    rows = (await session.execute(_statement(user_id, chosen))).all()
    return Grouped(
        days={row.day: (row.calls, row.seconds) for row in rows if row.day is not None},
        reasons={row.reason: row.calls for row in rows if row.reason is not None},
        apps={row.app: row.calls for row in rows if row.app is not None},
    )


def _statement(user_id: UUID, chosen: CallFilter) -> Select[*tuple[Any, ...]]:
    """Group the same rows three times over; a column is null in the rows of the other groupings."""
    return (
        select(
            _DAY.label("day"),
            CallRecord.hangup_reason.label("reason"),
            _APP.label("app"),
            func.count().label("calls"),
            func.coalesce(func.sum(CallRecord.duration_seconds), 0).label("seconds"),
        )
        .where(matching(user_id, chosen), CallRecord.hangup_reason.is_not(None))
        .group_by(func.grouping_sets(_DAY, CallRecord.hangup_reason, _APP))
    )
