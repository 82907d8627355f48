"""Bodies of answer rules, with the seed's keys (C043–C046), and what is known of conditions and actions (G32).

Conditions and actions are the client's own JSON: what is known of them is checked, all of it is kept as it came.
"""

import json
import re
from datetime import time
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from server.calls.schemas import FromRow, Instant, Name, Rendered, RequestBody, ShortText
from server.fields import JsonObject, Text

_MAX_INT4: Final = 2**31 - 1
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
# Characters of JSON: some hundreds of apps or numbers. All of a user's rules are listed at once.
_LONGEST_JSON: Final = 20_000
MIDNIGHT: Final = time()


def _time_of_day(value: str) -> str:
    if not _TIME.fullmatch(value):
        raise ValueError("应为 00:00–23:59 的时间，形如 09:00")
    return value


TimeOfDay = Annotated[str, Strict(), AfterValidator(_time_of_day)]
Weekday = Annotated[int, Strict(), Field(ge=1, le=7)]
StrictBool = Annotated[bool, Strict()]


class _Known(BaseModel):
    # What it does not know is no business of ours, and stays.
    model_config = ConfigDict(extra="ignore")


class TimeRange(_Known):
    """From `start` to before `end`, in Beijing; through midnight where `end` is not later (C044).

    The weekdays, 1 = Monday … 7 = Sunday, are those on which the time begins. Without times it is the whole day,
    without weekdays every day.
    """

    start: TimeOfDay | None = None
    end: TimeOfDay | None = None
    weekdays: Annotated[list[Weekday], Field(min_length=1)] = Field(default_factory=lambda: list(range(1, 8)))

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("start 与 end 应同时提供")
        return self

    @property
    def hours(self) -> tuple[time, time]:
        """When it begins and ends; twice the same is a whole day."""
        if self.start is None or self.end is None:
            return MIDNIGHT, MIDNIGHT
        return time.fromisoformat(self.start), time.fromisoformat(self.end)


class Chosen(_Known):
    """Only what the list names, or all but that."""

    type: Literal["include", "exclude"]
    list: "list[Text]"


class Conditions(_Known):
    """The conditions of the seed (C044). Missing ones are met."""

    timeRange: TimeRange | None = None  # noqa: N815 - the seed's key
    apps: Chosen | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for name in cls.model_fields:
                if name in value and value[name] is None:
                    raise ValueError(f"{name} 不能为 null")
        return value


class Action(_Known):
    """What to do with a call (C045)."""

    answer: StrictBool
    useAgent: StrictBool = False  # noqa: N815 - the seed's key
    agentId: UUID | None = None  # noqa: N815 - the seed's key
    greeting: Text | None = None

    @model_validator(mode="after")
    def _agent_is_named(self) -> Self:
        if self.useAgent and self.agentId is None:
            raise ValueError("useAgent 为 true 时应提供 agentId")
        return self


def _short(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value, ensure_ascii=False)) > _LONGEST_JSON:
        raise ValueError(f"最多{_LONGEST_JSON}个字符")
    return value


def _conditions(value: dict[str, Any]) -> dict[str, Any]:
    _check(Conditions, value)
    return value


def _action(value: dict[str, Any]) -> dict[str, Any]:
    _check(Action, value)
    return value


def _check(known: type[_Known], value: dict[str, Any]) -> None:
    """Refuse what is known and wrong, with its place."""
    try:
        known.model_validate(value)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        own = str(problem.get("ctx", {}).get("error", "")) if problem["type"] == "value_error" else ""
        raise ValueError("：".join(part for part in (place, own or "不符合要求") if part)) from None


class RuleBody(RequestBody):
    """A rule as it is created, or as it replaces another one (C043)."""

    name: Annotated[Name, Field(min_length=1)]
    enabled: StrictBool = True
    priority: Annotated[int, Strict(), Field(ge=-_MAX_INT4 - 1, le=_MAX_INT4)]
    conditions: Annotated[JsonObject, AfterValidator(_short), AfterValidator(_conditions)]
    action: Annotated[JsonObject, AfterValidator(_short), AfterValidator(_action)]

    @property
    def agent_id(self) -> UUID | None:
        """The agent that the action is bound to (C048)."""
        return Action.model_validate(self.action).agentId


class Rule(FromRow):
    """A rule, exactly six keys (C046)."""

    id: UUID
    name: str
    enabled: bool
    priority: int
    conditions: dict[str, Any]
    action: dict[str, Any]


class RuleList(BaseModel):
    """All of one's rules, in the order in which they are tried."""

    rules: list[Rule]


class DeletedRule(BaseModel):
    """What was deleted."""

    id: UUID


class IncomingCall(RequestBody):
    """A call that may come in: without `time` it is now."""

    caller_app: ShortText | None = None
    caller_phone: ShortText | None = None
    time: Instant | None = None


class Judged(BaseModel):
    """Whether one condition is met, and why, in a sentence."""

    condition: str
    met: bool
    reason: str


class Considered(BaseModel):
    """What became of one rule; `unknown_conditions` were not looked at."""

    id: UUID
    name: str
    priority: int
    outcome: Literal["fires", "not_met", "disabled", "not_reached"]
    conditions: list[Judged]
    unknown_conditions: list[str]


class Evaluation(BaseModel):
    """Which rule fires for a call, or none; and what became of each, in the order in which they are tried."""

    rule: Rule | None
    time: Rendered
    considered: list[Considered]
