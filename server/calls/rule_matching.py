"""Which answer rule fires for a call: a pure function of the rules, the caller and the time (G32)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from core.clock import BEIJING
from server.calls.rule_schemas import Chosen, Conditions, Considered, Judged, Rule, TimeRange

_WEEKDAYS: Final = "一二三四五六日"
_EVERY_DAY: Final = 7
# Not the seed's: understood where it has the form of `apps`, otherwise one of those that are only kept.
_PHONES: Final = "phones"


@dataclass(frozen=True)
class Call:
    """Who calls, and when (an aware instant)."""

    app: str | None
    phone: str | None
    at: datetime


def fires(rules: Sequence[Rule], call: Call) -> tuple[Rule | None, list[Considered]]:
    """Return the first enabled rule whose known conditions are all met, and what became of each.

    Args:
        rules: in the order in which they are tried: by priority, 1 first, then by age.
        call: who calls, and when.
    """
    fired: Rule | None = None
    considered = []
    for rule in rules:
        known = list(judged(rule.conditions, call))
        if fired is not None:
            outcome = "not_reached"
        elif not rule.enabled:
            outcome = "disabled"
        elif all(condition.met for condition in known):
            outcome, fired = "fires", rule
        else:
            outcome = "not_met"
        names = {condition.condition for condition in known}
        unknown = [name for name in rule.conditions if name not in names]
        considered.append(
            Considered.model_validate(
                {
                    **rule.model_dump(include={"id", "name", "priority"}),
                    "outcome": outcome,
                    "conditions": known,
                    "unknown_conditions": unknown,
                }
            )
        )
    return fired, considered


def judged(conditions: dict[str, Any], call: Call) -> Iterator[Judged]:
    """Yield what is to be said of each known condition of a rule."""
    known = Conditions.model_validate(conditions)
    if known.timeRange is not None:
        yield _judged_time(known.timeRange, call.at)
    if known.apps is not None:
        yield _judged_choice("apps", "应用", known.apps, call.app)
    try:
        phones = Chosen.model_validate(conditions.get(_PHONES))
    except ValidationError:
        return
    yield _judged_choice(_PHONES, "号码", phones, call.phone)


def within(times: TimeRange, at: datetime) -> bool:
    """Tell whether an instant is within the hours of one of the days, which may end on the next day."""
    local = at.astimezone(BEIJING)
    start, end = times.hours
    now, today = local.time(), local.isoweekday()
    yesterday = (today - 2) % 7 + 1
    if start < end:
        return today in times.weekdays and start <= now < end
    return (today in times.weekdays and now >= start) or (yesterday in times.weekdays and now < end)


def _judged_time(times: TimeRange, at: datetime) -> Judged:
    local = at.astimezone(BEIJING)
    start, end = times.hours
    days = sorted(set(times.weekdays))
    named = "每天" if len(days) == _EVERY_DAY else "周" + "、".join(_WEEKDAYS[day - 1] for day in days)
    met = within(times, at)
    reason = (
        f"北京时间周{_WEEKDAYS[local.weekday()]} {local:%H:%M} {'在' if met else '不在'} "
        f"{named} {start:%H:%M}–{'次日 ' if end <= start else ''}{end:%H:%M} 之内"
    )
    return Judged(condition="timeRange", met=met, reason=reason)


def _judged_choice(condition: str, kind: str, chosen: Chosen, value: str | None) -> Judged:
    listed = value is not None and value in chosen.list
    met = listed == (chosen.type == "include")
    wanted = "只接" if chosen.type == "include" else "不接"
    reason = f"来电{kind}{'未知' if value is None else f'“{value}”'}{'在' if listed else '不在'}{wanted}的列表中"
    return Judged(condition=condition, met=met, reason=reason)
