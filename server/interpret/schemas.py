"""Bodies of interpret and execute, with the seed's keys in the seed's order (B021–B031, B039, G15–G19)."""

from datetime import datetime
from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, model_validator
from pydantic.alias_generators import to_camel

from core.clock import render_seconds
from nodes.interpret_execute.receive import LONGEST_TEXT
from server.fields import JsonObject, Text
from server.paging import Pagination

T = TypeVar("T")

LARGEST_PARAMS: Final = 64 * 1024
_DEEPEST: Final = 32


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("不能为空")
    return text


def _bounded(params: dict[str, Any]) -> dict[str, Any]:
    level: list[Any] = [params]
    for _ in range(_DEEPEST):
        level = [inner for value in level for inner in _members(value)]
    if level:
        raise ValueError(f"嵌套不能超过{_DEEPEST}层")
    try:
        size = len(orjson.dumps(params))
    except TypeError:
        # An integer of more than 64 bits: neither checkpoints nor most tools can hold one.
        raise ValueError("数字过大") from None
    if size > LARGEST_PARAMS:
        raise ValueError(f"不能超过 {LARGEST_PARAMS} 字节")
    return params


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


SessionId = Annotated[Text, Field(min_length=1, max_length=128)]
Words = Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_not_blank)]
# How deep it is comes first: the rest walks through it.
Params = Annotated[JsonObject, AfterValidator(_bounded)]
Rendered = Annotated[datetime, PlainSerializer(render_seconds, return_type=str)]


class _Body(BaseModel):
    # A field that we do not know is refused, never dropped in silence.
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Request(_Body):
    """What every request of the family names: the client's session, and the user himself (K21)."""

    session_id: SessionId
    user_id: Annotated[Text, Field(min_length=1, max_length=64)]


class InterpretRequest(Request):
    """Words to make an offer of (B022)."""

    text: Words


class ExecuteRequest(Request):
    """A pending offer, as interpret answered it; `params` may be changed (G16)."""

    action: Annotated[Text, Field(min_length=1, max_length=256)]
    params: Params


class ConfirmRequest(Request):
    """One turn about a pending offer: words, changed arguments, or a decision (B039, G72)."""

    text: Words | None = None
    params: Params | None = None
    decision: Literal["approve", "reject"] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(given is not None for given in (self.text, self.params, self.decision)) != 1:
            raise ValueError("text、params、decision 应有且只有一项")
        return self


class OfferBody(BaseModel):
    """Exactly four keys, without an envelope (B023); `type` grew by those of G15, of confirm, and of what ran at once.

    `executed` and `failed`: the operator lets read-only tools run unconfirmed, and `confirmText` says what came of it.
    """

    type: Literal["confirm", "clarify", "rejected", "executed", "failed"]
    action: str | None
    params: dict[str, Any]
    confirmText: str  # noqa: N815 - the seed's key


class Answer(BaseModel, Generic[T]):
    """The envelope of execute and of what is listed (B028)."""

    success: Literal[True] = True
    data: T


class UserView(BaseModel):
    """A user of this family (B016)."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    userId: UUID = Field(validation_alias="auth_user_id")  # noqa: N815 - the seed's name
    username: str
    contacts: dict[str, Any] | None
    wallets: dict[str, Any] | None
    createdAt: Rendered = Field(validation_alias="created_at")  # noqa: N815 - the seed's style


class ToolBody(BaseModel):
    """A registered tool (B031, G19)."""

    name: str
    description: str
    inputSchema: dict[str, Any]  # noqa: N815 - the protocol's key
    server: str


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, populate_by_name=True)


class Result(_View):
    """What became of the last confirmed offer."""

    report: str
    data: Any


class SessionView(_View):
    """How a session stands; `pending` has the offer's four keys, and `schema` where a tool asks for input."""

    session_id: str
    status: str
    pending: dict[str, Any] | None
    result: Result | None
    created_at: Rendered
    updated_at: Rendered


class LogView(_View):
    """One step of a session (B019)."""

    step: str
    status: str
    message: str
    created_at: Rendered


class LogPage(BaseModel):
    """A page of a session's log, oldest first."""

    logs: list[LogView]
    pagination: Pagination
