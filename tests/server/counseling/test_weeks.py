"""The time rules: every row of the lock table, the ends of weeks and years, any zone (G54–G56, G66, W33, W41)."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import BEIJING
from server.counseling.weeks import (
    Flags,
    Handed,
    Week,
    decided,
    flags,
    is_done,
    is_locked,
    last_refresh,
    parse,
    refreshed,
    week_of,
)

LONG_AGO = datetime(2025, 9, 1, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0, milli: int = 0, month: int = 9) -> datetime:
    """An instant of 2025 in Beijing; the week is Monday 22 to Sunday 28 September."""
    return datetime(2025, month, day, hour, minute, second, milli * 1000, tzinfo=BEIJING)


IN_TIME = Handed(at(25, 9), at(25, 10), (at(26, 12),))


def told(session: int, record: int, feedback: int, locked: int) -> Flags:
    return Flags(bool(session), bool(record), bool(feedback), bool(locked))


# Case, now, what was handed in, whether it is locked.
TABLE = [
    ("nothing done, Friday's last millisecond", at(26, 23, 59, 59, 999), [], False),
    ("nothing done, Saturday's first", at(27), [], True),
    ("finalised Thursday, recorded Friday", at(27, 10), [IN_TIME], False),
    ("finalised Thursday, no record", at(27, 10), [Handed(at(25, 9), at(25, 10))], True),
    ("a record on Saturday does not unlock", at(27, 10), [Handed(at(25, 9), at(25, 10), (at(27, 9),))], True),
    ("started Friday, the rest Saturday", at(27, 10), [Handed(at(26, 9), at(27, 9), (at(27, 9, 30),))], True),
    ("a record before it was finalised late", at(27, 10), [Handed(at(26, 9), at(27, 9), (at(26, 10),))], True),
    ("the next Monday", at(29), [], False),
    ("a record for last week's session only", at(27, 10), [Handed(at(18, 9), at(18, 10), (at(23, 9),))], True),
    ("started Sunday, finalised Monday", at(27, 10), [Handed(at(21, 20), at(22, 9), (at(22, 10),))], True),
    ("recorded at the last moment", at(27), [Handed(at(22), at(26, 22), (at(26, 23, 59, 59, 999),))], False),
    ("recorded at the first of Saturday", at(27), [Handed(at(22), at(26, 22), (at(27),))], True),
    ("finalised at the first of Saturday", at(27), [Handed(at(22), at(27), (at(26),))], True),
    ("half of it in each of two sessions", at(27), [Handed(at(22), at(23)), Handed(at(24), None, (at(25),))], True),
    ("one of two sessions is enough", at(28, 23), [Handed(at(22), at(23)), IN_TIME], False),
]


@pytest.mark.parametrize(("now", "handed", "locked"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_lock_table(now: datetime, handed: list[Handed], *, locked: bool) -> None:
    assert is_locked(now, LONG_AGO, handed) is locked
    # Whatever zone the server speaks.
    for zone in (UTC, ZoneInfo("America/Los_Angeles"), timezone(timedelta(hours=14))):
        assert is_locked(now.astimezone(zone), LONG_AGO.astimezone(zone), handed) is locked


def test_a_server_in_utc() -> None:
    assert is_locked(datetime(2025, 9, 26, 16, tzinfo=UTC), LONG_AGO, [])
    assert not is_locked(datetime(2025, 9, 26, 15, 59, 59, 999999, tzinfo=UTC), LONG_AGO, [])


def test_who_enrolled_after_the_deadline_missed_none() -> None:
    assert not is_locked(at(27, 10), at(27), [])
    assert is_locked(at(27, 10), at(26, 23, 59, 59, 999), [])


def test_started_friday_and_finished_saturday_in_flags() -> None:
    late = [Handed(at(26, 9), at(27, 9), (at(27, 9),))]
    assert flags(parse("2025-39"), at(27, 10), LONG_AGO, late) == told(1, 0, 0, 1)


def test_sunday_counts_for_the_week_that_it_began_in() -> None:
    session = [Handed(at(21, 20), at(22, 9), (at(22, 10),), (at(21, 23, 59),))]
    assert flags(parse("2025-38"), at(27, 10), LONG_AGO, session) == told(1, 0, 1, 1)
    assert flags(parse("2025-39"), at(27, 10), LONG_AGO, session) == told(0, 0, 0, 1)


@pytest.mark.parametrize(("given_at", "counts"), [(at(28, 23, 59, 59, 999), True), (at(29), False)])
def test_feedback_by_sunday(given_at: datetime, *, counts: bool) -> None:
    """Also on a session that is not finalised."""
    session = [Handed(at(24), None, (), (given_at,))]
    assert flags(parse("2025-39"), at(30), LONG_AGO, session).has_any_feedback_by_sun is counts


@pytest.mark.parametrize(
    ("moment", "key"),
    [
        (datetime(2025, 9, 22, tzinfo=BEIJING), "2025-39"),
        (datetime(2025, 9, 21, 23, 59, 59, tzinfo=BEIJING), "2025-38"),
        (datetime(2025, 12, 29, tzinfo=BEIJING), "2026-01"),
        (datetime(2025, 12, 28, 23, 59, tzinfo=BEIJING), "2025-52"),
        (datetime(2026, 1, 4, 16, tzinfo=UTC), "2026-02"),
        (datetime(2027, 1, 3, 15, 59, tzinfo=UTC), "2026-53"),
        (datetime(2021, 1, 3, tzinfo=BEIJING), "2020-53"),
    ],
)
def test_keys(moment: datetime, key: str) -> None:
    assert week_of(moment).key == key
    assert parse(key) == week_of(moment)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "2025-9",
        "2025-00",
        "2025-53",
        "2026-54",
        "25-01",
        "2025-W39",
        "2025-39 ",
        "２０２５-39",
        "0000-01",
        "2025_39",
    ],
)
def test_no_keys(key: str) -> None:
    with pytest.raises(ValueError, match="周"):
        parse(key)


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones())  # noqa: DTZ001


@given(moments)
def test_a_week_holds_its_moment_and_comes_back_from_its_key(moment: datetime) -> None:
    week = week_of(moment)
    assert week.holds(moment)
    assert week.start <= moment < week.end
    assert parse(week.key) == week
    assert week.start.astimezone(BEIJING).isoweekday() == 1
    assert week.deadline - week.start == timedelta(days=5)
    assert week.end == week_of(week.end).start
    assert week.before.end == week.start
    assert week_of(moment.astimezone(UTC)) == week


@given(st.integers(1990, 2200), st.integers(-60, 60))
def test_around_the_ends_of_years(year: int, hours: int) -> None:
    moment = datetime(year, 1, 1, tzinfo=BEIJING) + timedelta(hours=hours)
    iso = moment.astimezone(BEIJING).isocalendar()
    assert week_of(moment).key == f"{iso.year}-{iso.week:02}"


@given(st.integers(-(10**6), 10**6))
def test_the_lock_turns_at_the_deadline_and_at_the_end_only(microseconds: int) -> None:
    week = parse("2025-39")
    near = timedelta(microseconds=microseconds)
    assert is_locked(week.deadline + near, LONG_AGO, []) is (microseconds >= 0)
    assert is_locked(week.end + near, LONG_AGO, []) is (microseconds < 0)


offsets = st.integers(-3 * 86400, 10 * 86400)


def _moment(seconds: int) -> datetime:
    return parse("2025-39").start + timedelta(seconds=seconds)


handed_in = st.lists(
    st.builds(
        Handed,
        offsets.map(_moment),
        st.none() | offsets.map(_moment),
        st.lists(offsets.map(_moment), max_size=3).map(tuple),
    ),
    max_size=4,
)


@given(offsets.map(_moment), handed_in)
def test_more_never_harms(now: datetime, handed: list[Handed]) -> None:
    """Who has done the week stays so whatever else he hands in; who is locked has not done it."""
    week = parse("2025-39")
    if is_done(week, handed):
        assert is_done(week, [*handed, Handed(now)])
        assert not is_locked(week.deadline, LONG_AGO, handed)
    if is_locked(now, LONG_AGO, handed):
        assert not is_done(week_of(now), handed)
        assert now >= week_of(now).deadline


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (at(29, 0, 30), at(29, 0, 30)),
        (at(29, 0, 29, 59), at(28, 0, 30)),
        (at(29, 23), at(29, 0, 30)),
        (datetime(2025, 9, 28, 16, 30, tzinfo=UTC), at(29, 0, 30)),
    ],
)
def test_when_the_daily_job_was_due(now: datetime, due: datetime) -> None:
    assert last_refresh(now) == due


def test_the_daily_job_sees_sunday() -> None:
    assert [week.key for week in refreshed(at(29, 0, 30))] == ["2025-39", "2025-40"]


def test_weeks_that_are_decided() -> None:
    assert [week.key for week in decided(at(10), at(26), 9)] == ["2025-38", "2025-37"]
    assert [week.key for week in decided(at(10), at(27), 9)] == ["2025-39", "2025-38", "2025-37"]
    assert [week.key for week in decided(at(10), at(27), 2)] == ["2025-39", "2025-38"]
    assert decided(at(28), at(24), 9) == []


def test_weeks_are_in_order() -> None:
    assert parse("2025-52") < parse("2026-01") < Week(parse("2026-02").monday)
