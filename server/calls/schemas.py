"""Bodies of the voice call family, with the seed's keys in the seed's order (C008–C016, G23, G24)."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
)

from core.clock import render_seconds
from db.models.calls import HangupReason
from server.fields import JsonObject, Text
from server.paging import PageNumber, PageSize, Pagination

T = TypeVar("T")

_MAX_INT4: Final = 2**31 - 1
_MAX_EPOCH: Final = 10**11
_YEARS: Final = range(1970, 2200)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_MESSAGES: Final = 5000


def _only_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("应为形如 2025-11-08T10:00:00Z 的字符串")  # noqa: TRY004 - pydantic reports ValueError
    return value


def _sensible(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError(f"年份应在 {_YEARS.start}–{_YEARS.stop - 1} 之间")
    return moment.astimezone(UTC)


def _day(value: object) -> object:
    if not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise ValueError("应为形如 2025-11-08 的日期")
    return value


def _sensible_day(day: date) -> date:
    if day.year not in _YEARS:
        raise ValueError(f"年份应在 {_YEARS.start}–{_YEARS.stop - 1} 之间")
    return day


Day = Annotated[date, BeforeValidator(_day), AfterValidator(_sensible_day)]
Instant = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_sensible)]
Rendered = Annotated[datetime, PlainSerializer(render_seconds, return_type=str)]
Name = Annotated[Text, Field(max_length=255)]
ShortText = Annotated[Text, Field(max_length=50)]


class RequestBody(BaseModel):
    """The base of what clients send."""

    # A field that we do not know is refused, never dropped in silence.
    model_config = ConfigDict(extra="forbid")


class Message(RequestBody):
    """One turn of a call; `timestamp` is in epoch seconds and not compared with the call's times (C011, W22)."""

    role: Literal["assistant", "user"]
    content: Text
    timestamp: Annotated[int, Strict(), Field(ge=0, le=_MAX_EPOCH)]


class CallCreate(RequestBody):
    """A call that begins (C008)."""

    agent_id: UUID
    caller_name: Name | None = None
    caller_phone: ShortText | None = None
    caller_app: ShortText | None = None
    start_time: Instant
    metadata: JsonObject = Field(default_factory=dict)


class CallPatch(RequestBody):
    """Any subset of a call's fields; `messages` replaces all, `metadata` is merged by its keys (G24)."""

    caller_name: Name | None = None
    caller_phone: ShortText | None = None
    caller_app: ShortText | None = None
    end_time: Instant | None = None
    duration_seconds: Annotated[int, Strict(), Field(ge=0, le=_MAX_INT4)] | None = None
    hangup_reason: HangupReason | None = None
    messages: Annotated[list[Message], Field(max_length=MAX_MESSAGES)] = Field(default_factory=list)
    metadata: JsonObject = Field(default_factory=dict)


class MessageAppend(Message):
    """One more turn of a call. `position`, its place from 0, makes asking twice safe."""

    position: Annotated[int, Strict(), Field(ge=0, lt=MAX_MESSAGES)] | None = None


class AgentCreate(RequestBody):
    """A voice agent of one's own (G23)."""

    name: Annotated[Name, Field(min_length=1)]
    type: Annotated[ShortText, Field(min_length=1)] = "voice"
    system_prompt: Text | None = None
    greeting: Text | None = None
    config: JsonObject = Field(default_factory=dict)


class FromRow(BaseModel):
    """The base of what is shown of a row."""

    model_config = ConfigDict(from_attributes=True)


class CallQuery(BaseModel):
    """Which page of which calls is shown (C013)."""

    agent_id: UUID | None = None
    start_date: Annotated[Day | None, Field(description="Beijing date, inclusive")] = None
    end_date: Annotated[Day | None, Field(description="Beijing date, inclusive")] = None
    page: PageNumber = 1
    page_size: PageSize = 20


class CreatedCall(FromRow):
    """Exactly four keys (C009)."""

    id: UUID
    agent_id: UUID
    caller_name: str | None
    start_time: Rendered


class CallDetail(FromRow):
    """One call (C015)."""

    id: UUID
    agent_id: UUID
    caller_name: str | None
    caller_app: str | None
    start_time: Rendered
    end_time: Rendered | None
    duration_seconds: int | None
    hangup_reason: HangupReason | None
    messages: list[dict[str, Any]]
    summary: str | None
    metadata: dict[str, Any] = Field(validation_alias="details")


class CallListItem(FromRow):
    """One call in a list (C014)."""

    id: UUID
    agent_id: UUID
    agent_name: str
    caller_name: str | None
    caller_app: str | None
    start_time: Rendered
    duration_seconds: int | None
    summary: str | None


class CallList(BaseModel):
    """A page of calls."""

    records: list[CallListItem]
    pagination: Pagination


class DeletedCall(BaseModel):
    """What was deleted."""

    id: UUID


class Summary(BaseModel):
    """A call's summary (C016)."""

    summary: str


class ErrorNote(BaseModel):
    """Why there is no new summary."""

    code: str
    message: str


class SummaryState(BaseModel):
    """How a call's summary stands. `summary` is the stored one, also while another one is made."""

    state: Literal["none", "pending", "running", "done", "failed", "stopped"]
    summary: str | None
    error: ErrorNote | None = None


class AppendedMessage(BaseModel):
    """Where a message stands, and how many the call has by now."""

    id: UUID
    position: int
    total_messages: int


class AgentDetail(FromRow):
    """One voice agent."""

    id: UUID
    name: str
    type: str
    system_prompt: str | None
    greeting: str | None
    config: dict[str, Any]
    is_active: bool
    shared: bool
    created_at: Rendered
    updated_at: Rendered


class AgentList(BaseModel):
    """A page of agents."""

    agents: list[AgentDetail]
    pagination: Pagination


class Answer(BaseModel, Generic[T]):
    """The family's envelope."""

    success: Literal[True] = True
    data: T
