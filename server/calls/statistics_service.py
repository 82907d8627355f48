"""The figures of a period's calls (C021–C025, G25, G26)."""

from datetime import date, datetime, timedelta

from core.clock import BEIJING, beijing_midnight
from db.database import Pool
from db.models.calls import HangupReason
from server.auth.acting import Acting, answered
from server.calls import statistics_repository
from server.calls.record_statements import CallFilter
from server.calls.statistics_repository import Grouped
from server.calls.statistics_schemas import DailyStats, HangupReasons, Period, Statistics, StatisticsQuery


def first_day(period: Period, today: date) -> date:
    """Return the day on which a calendar period begins that `today` is in; weeks begin on Monday (G26)."""
    match period:
        case "today":
            return today
        case "week":
            return today - timedelta(days=today.weekday())
        case "month":
            return today.replace(day=1)
        case "year":
            return today.replace(month=1, day=1)


async def read(pool: Pool, caller: Acting, asked: StatisticsQuery, now: datetime) -> Statistics:
    """Return the figures of the period's ended calls, from its first day in Beijing to the end of today's."""
    today = now.astimezone(BEIJING).date()
    first = first_day(asked.period, today)
    chosen = CallFilter(
        agent_id=asked.agent_id, since=beijing_midnight(first), until=beijing_midnight(today + timedelta(days=1))
    )
    [rows] = await answered(pool, caller, statistics_repository.grouped(caller.user_id, chosen))
    return summed_up(Grouped.of(rows), first, today)


def summed_up(grouped: Grouped, first: date, last: date) -> Statistics:
    """Return what the seed shows of the counts: sums, shares, and a row for each day, also for one without a call."""
    reasons = HangupReasons(**{reason.value: calls for reason, calls in grouped.reasons.items()})
    total = sum(grouped.reasons.values())
    seconds = sum(seconds for _calls, seconds in grouped.days.values())
    failed = grouped.reasons.get(HangupReason.timeout, 0) + grouped.reasons.get(HangupReason.error, 0)
    return Statistics(
        total_calls=total,
        total_duration_seconds=seconds,
        avg_duration_seconds=round(seconds / total) if total else 0,
        success_calls=total - failed,
        failed_calls=failed,
        success_rate=round(100 * (total - failed) / total, 1) if total else 0.0,
        hangup_reasons=reasons,
        daily_stats=[_day(day, grouped) for day in _days(first, last)],
        app_distribution=dict(sorted(grouped.apps.items(), key=lambda app: (-app[1], app[0]))),
    )


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _day(day: date, grouped: Grouped) -> DailyStats:
    calls, seconds = grouped.days.get(day, (0, 0))
    return DailyStats(date=day.isoformat(), calls=calls, duration=seconds)
