"""Which rule fires: the pure function, against windows that are written out, over midnight and the week's edges."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.clock import BEIJING
from server.calls.rule_matching import Call, fires, judged, within
from server.calls.rule_schemas import Rule, TimeRange

TIMES = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))
DAYS = st.sets(st.integers(1, 7), min_size=1)
# Around a week's end, where the edges are.
INSTANTS = st.timedeltas(timedelta(), timedelta(days=11)).map(lambda by: datetime(2025, 11, 7, tzinfo=BEIJING) + by)
EVERY_DAY = set(range(1, 8))
# A Saturday.
NOON = datetime(2025, 11, 8, 4, tzinfo=UTC)


def times(start: time, end: time, days: set[int]) -> TimeRange:
    return TimeRange(start=f"{start:%H:%M}", end=f"{end:%H:%M}", weekdays=sorted(days))


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def windows(start: time, end: time, days: set[int], around: date) -> list[tuple[datetime, datetime]]:
    """The windows that begin on the days around one, written out."""
    found = []
    for offset in range(-2, 3):
        day = around + timedelta(days=offset)
        if day.isoweekday() in days:
            last = day if end > start else day + timedelta(days=1)
            found.append((datetime.combine(day, start, BEIJING), datetime.combine(last, end, BEIJING)))
    return found


@given(start=TIMES, end=TIMES, days=DAYS, at=INSTANTS)
@example(start=time(22), end=time(6), days={7}, at=beijing("2025-11-10T05:59:59"))
@example(start=time(22), end=time(6), days={7}, at=beijing("2025-11-10T06:00:00"))
@example(start=time(22), end=time(6), days={1}, at=beijing("2025-11-10T05:59:59"))
@example(start=time(0), end=time(0), days={5}, at=beijing("2025-11-08T00:00:00"))
@example(start=time(9), end=time(18), days={6}, at=beijing("2025-11-08T18:00:00"))
def test_within_is_to_be_in_one_of_the_windows(start: time, end: time, days: set[int], at: datetime) -> None:
    expected = any(first <= at < last for first, last in windows(start, end, days, at.date()))
    assert within(times(start, end, days), at) == expected
    # The same instant, said in another zone.
    assert within(times(start, end, days), at.astimezone(UTC)) == expected


@given(start=TIMES, end=TIMES, at=INSTANTS)
def test_two_ranges_end_to_end_make_the_day(start: time, end: time, at: datetime) -> None:
    first, second = within(times(start, end, EVERY_DAY), at), within(times(end, start, EVERY_DAY), at)
    assert (first and second) if start == end else (first != second)


@given(start=TIMES, end=TIMES, days=DAYS, at=INSTANTS)
def test_other_days_are_the_other_half(start: time, end: time, days: set[int], at: datetime) -> None:
    others = EVERY_DAY - days
    both = within(times(start, end, days), at) + (bool(others) and within(times(start, end, others), at))
    assert both == within(times(start, end, EVERY_DAY), at)


@given(start=TIMES, end=TIMES, days=DAYS, at=INSTANTS)
def test_a_week_later_is_the_same(start: time, end: time, days: set[int], at: datetime) -> None:
    assert within(times(start, end, days), at) == within(times(start, end, days), at + timedelta(weeks=1))


def test_days_without_hours_are_whole() -> None:
    saturday = TimeRange(weekdays=[6])
    assert [
        within(saturday, beijing(f"2025-11-{moment}")) for moment in ("07T23:59:59", "08T00:00", "08T23:59:59")
    ] == [
        *(False, True, True),
    ]
    assert not within(saturday, beijing("2025-11-09T00:00"))


@given(
    listed=st.lists(st.sampled_from(["微信", "企业微信", "钉钉"])),
    app=st.sampled_from(["微信", "企业微信", "钉钉", "QQ", None]),
)
def test_include_and_exclude_are_opposites(listed: list[str], app: str | None) -> None:
    met = {
        kind: next(judged({"apps": {"type": kind, "list": listed}}, Call(app, None, NOON))).met
        for kind in ("include", "exclude")
    }
    assert met["include"] == (app in listed)
    assert met["exclude"] != met["include"]


def rule(name: str, *, enabled: bool = True, **conditions: Any) -> Rule:
    return Rule(id=uuid4(), name=name, enabled=enabled, priority=1, conditions=conditions, action={"answer": True})


class TestFires:
    def test_the_first_whose_conditions_are_met(self) -> None:
        rules = [
            rule("off", enabled=False),
            rule("apps", apps={"type": "include", "list": ["钉钉"]}),
            rule("weekend", timeRange={"weekdays": [6, 7]}),
            rule("all"),
        ]
        fired, considered = fires(rules, Call("微信", None, NOON))
        assert fired is rules[2]
        assert [one.outcome for one in considered] == ["disabled", "not_met", "fires", "not_reached"]
        assert [one.id for one in considered] == [one.id for one in rules]

    def test_all_conditions_have_to_be_met(self) -> None:
        both = rule("both", timeRange={"weekdays": [6]}, apps={"type": "include", "list": ["微信"]})
        assert fires([both], Call("微信", None, NOON))[0] is both
        assert fires([both], Call("钉钉", None, NOON))[0] is None
        assert fires([both], Call("微信", None, NOON + timedelta(days=1)))[0] is None

    def test_none(self) -> None:
        assert fires([], Call(None, None, NOON)) == (None, [])

    def test_phones_have_the_form_of_apps_or_are_only_kept(self) -> None:
        blocked = rule("blocked", phones={"type": "exclude", "list": ["13800000000"]})
        assert fires([blocked], Call(None, "13800000001", NOON))[0] is blocked
        assert fires([blocked], Call(None, "13800000000", NOON))[0] is None
        [kept] = fires([rule("other form", phones=["13800000000"])], Call(None, None, NOON))[1]
        assert (kept.outcome, kept.unknown_conditions) == ("fires", ["phones"])

    def test_unknown_conditions_are_named(self) -> None:
        [considered] = fires([rule("vip", vip=True, apps={"type": "exclude", "list": []})], Call(None, None, NOON))[1]
        assert considered.unknown_conditions == ["vip"]
        assert [condition.condition for condition in considered.conditions] == ["apps"]

    @given(
        enabled=st.lists(st.booleans(), max_size=6),
        weekdays=st.lists(DAYS, min_size=6, max_size=6),
        at=INSTANTS,
    )
    def test_what_is_disabled_changes_nothing(
        self, enabled: list[bool], weekdays: list[set[int]], at: datetime
    ) -> None:
        rules = [
            rule(str(number), enabled=on, timeRange={"weekdays": sorted(weekdays[number])})
            for number, on in enumerate(enabled)
        ]
        fired, considered = fires(rules, Call(None, None, at))
        assert fired is fires([one for one in rules if one.enabled], Call(None, None, at))[0]
        assert [one.outcome for one in considered].count("fires") == (fired is not None)

    @pytest.mark.parametrize(
        ("conditions", "reason"),
        [
            (
                {"timeRange": {"start": "22:00", "end": "06:00", "weekdays": [5]}},
                "北京时间周六 12:00 不在 周五 22:00–次日 06:00 之内",
            ),
            ({"timeRange": {"start": "09:00", "end": "18:00"}}, "北京时间周六 12:00 在 每天 09:00–18:00 之内"),
            ({"apps": {"type": "include", "list": ["钉钉"]}}, "来电应用“微信”不在只接的列表中"),
            ({"phones": {"type": "exclude", "list": []}}, "来电号码未知不在不接的列表中"),
        ],
    )
    def test_why(self, conditions: dict[str, Any], reason: str) -> None:
        assert next(judged(conditions, Call("微信", None, NOON))).reason == reason
