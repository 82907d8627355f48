"""SQL of the statistics of calls: one statement, one pass over the period's ended calls, from an index alone."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import DateTime, Select, String, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import BEIJING
from db.models.calls import CallRecord, HangupReason
from server.calls.repository import CallFilter, matching

UNKNOWN_APP: Final = "未知"


@dataclass(frozen=True)
class Grouped:
    """Calls and their seconds by day in Beijing, by reason, and by app."""

    days: dict[date, tuple[int, int]]
    reasons: dict[HangupReason, int]
    apps: dict[str, int]


async def grouped(
    session: AsyncSession, user_id: UUID, *, agent_id: UUID | None, since: datetime, until: datetime
) -> Grouped:
    """Count the ended calls of some days; groups without a call are not among the answer's.

    Args:
        session: the user's.
        user_id: whose calls.
        agent_id: of this agent only.
        since: the midnight in Beijing at which the first day begins.
        until: the midnight that ends the last one.
    """
    chosen = CallFilter(agent_id=agent_id, since=since, until=until)
    rows = (await session.execute(_statement(user_id, chosen, since))).all()
    return Grouped(
        days={row.day.astimezone(BEIJING).date(): (row.calls, row.seconds) for row in rows if row.day is not None},
        reasons={row.reason: row.calls for row in rows if row.reason is not None},
        apps={row.app: row.calls for row in rows if row.app is not None},
    )


def _statement(user_id: UUID, chosen: CallFilter, since: datetime) -> Select[*tuple[Any, ...]]:
    """Group the same rows three times over; a column is null in the rows of the other groupings."""
    # Beijing's days have 24 hours. A time zone's rules for each call would cost more than all the rest.
    day = func.date_bin(literal_column("interval '1 day'"), CallRecord.start_time, since, type_=DateTime(timezone=True))
    app = func.coalesce(func.nullif(CallRecord.caller_app, ""), UNKNOWN_APP, type_=String)
    calls = (
        select(
            day.label("day"),
            CallRecord.hangup_reason.label("reason"),
            app.label("app"),
            CallRecord.duration_seconds.label("duration"),
        )
        .where(matching(user_id, chosen), CallRecord.hangup_reason.is_not(None))
        .subquery()
    )
    return select(
        calls.c.day,
        calls.c.reason,
        calls.c.app,
        func.count().label("calls"),
        func.coalesce(func.sum(calls.c.duration), 0).label("seconds"),
    ).group_by(func.grouping_sets(calls.c.day, calls.c.reason, calls.c.app))
