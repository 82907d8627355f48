"""The family's time rules, all of them: weeks and their deadlines in Beijing's time (E063–E067, G54–G56, G66, W33–W36).

Pure: what it knows of time it is told. Instants are aware, in any zone.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from core.clock import BEIJING

# When the snapshots of the present week and the one before are made anew (E083).
DAILY_AT: Final = time(0, 30)
_DAYS_TO_DEADLINE: Final = 5
_KEY: Final = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True, order=True)
class Week:
    """A week from Monday 00:00 to the next; its deadline for students is Friday 24:00 (E063, E064)."""

    monday: date

    @property
    def key(self) -> str:
        """ISO year and week, `%G-%V` of the Beijing date (G56, W41)."""
        year, number, _ = self.monday.isocalendar()
        return f"{year:04}-{number:02}"

    @property
    def start(self) -> datetime:
        """Monday 00:00."""
        return _midnight(self.monday)

    @property
    def deadline(self) -> datetime:
        """Saturday 00:00: from here on what was not handed in is late."""
        return _midnight(self.monday + timedelta(days=_DAYS_TO_DEADLINE))

    @property
    def end(self) -> datetime:
        """The next Monday 00:00, also the assistants' deadline (E065)."""
        return _midnight(self.monday + timedelta(days=7))

    @property
    def before(self) -> "Week":
        """The week before."""
        return Week(self.monday - timedelta(days=7))

    def holds(self, moment: datetime) -> bool:
        """Tell whether an instant falls into the week."""
        return self.start <= moment < self.end


@dataclass(frozen=True)
class Handed:
    """A session as the rules see it: its times, those of its thought records, and those of its assistant's feedback."""

    started: datetime
    finalized: datetime | None = None
    records: tuple[datetime, ...] = ()
    feedback: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Flags:
    """A student's week (E066)."""

    has_session: bool
    has_thought_record_by_fri: bool
    has_any_feedback_by_sun: bool
    locked: bool


def week_of(moment: datetime) -> Week:
    """Return the week that an instant falls into, in Beijing."""
    day = moment.astimezone(BEIJING).date()
    return Week(day - timedelta(days=day.weekday()))


def parse(key: str) -> Week:
    """Return the week of a key such as `2025-39`.

    Raises:
        ValueError: it is no ISO week.
    """
    found = _KEY.fullmatch(key)
    if found is None:
        raise ValueError("week 应为形如 2025-39 的 ISO 周")
    try:
        return Week(date.fromisocalendar(int(found[1]), int(found[2]), 1))
    except (ValueError, OverflowError):
        raise ValueError("没有这一周") from None


def is_done(week: Week, handed: Iterable[Handed]) -> bool:
    """Tell whether a student has done a week: one session started in it, finalised and written up in time (G54)."""
    return any(
        week.holds(one.started)
        and one.finalized is not None
        and one.finalized < week.deadline
        and any(record < week.deadline for record in one.records)
        for one in handed
    )


def is_locked(now: datetime, enrolled: datetime, handed: Iterable[Handed], week: Week | None = None) -> bool:
    """Tell whether a student may start no session (any more) in a week; the present one where none is named (G54).

    Overdue is who missed the deadline: not who has done the week, nor who was enrolled after it.
    """
    week = week or week_of(now)
    return now >= week.deadline and enrolled < week.deadline and not is_done(week, handed)


def flags(week: Week, now: datetime, enrolled: datetime, handed: Iterable[Handed]) -> Flags:
    """Return a student's week as the report shows it (G55)."""
    inside = [one for one in handed if week.holds(one.started)]
    finalized = [one for one in inside if one.finalized is not None]
    return Flags(
        has_session=bool(finalized),
        has_thought_record_by_fri=any(record < week.deadline for one in finalized for record in one.records),
        has_any_feedback_by_sun=any(given < week.end for one in inside for given in one.feedback),
        locked=is_locked(now, enrolled, inside, week),
    )


def refreshed(now: datetime) -> tuple[Week, Week]:
    """Return the weeks that the daily job refreshes: without the one before, Sunday would never be seen (G66, W33)."""
    this = week_of(now)
    return this.before, this


def last_refresh(now: datetime) -> datetime:
    """Return the newest instant at which the daily job was due: 00:30 in Beijing."""
    local = now.astimezone(BEIJING)
    due = datetime.combine(local.date(), DAILY_AT, BEIJING)
    return due if due <= local else datetime.combine(local.date() - timedelta(days=1), DAILY_AT, BEIJING)


def decided(since: datetime, now: datetime, most: int) -> list[Week]:
    """Return the weeks whose deadline is over, from the one of `since` on, the newest first; `most` at most."""
    weeks: list[Week] = []
    week = week_of(now)
    while len(weeks) < most and week.end > since:
        if now >= week.deadline:
            weeks.append(week)
        week = week.before
    return weeks


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=BEIJING)
