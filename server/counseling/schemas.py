"""Bodies of logins and sessions, with the seed's keys in the seed's order (E012–E029, E048–E052, K10)."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, Strict

from core.clock import render_milliseconds
from server.counseling.scopes import Role
from server.counseling.whitelist import clean_email, is_email
from server.fields import Text

LONGEST_TEXT: Final = 10_000
_LONGEST_ASSIGNMENT: Final = 4_000
_MAX_INT4: Final = 2**31 - 1


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("不能为空")
    return text


def _email(value: object) -> object:
    return clean_email(value) if isinstance(value, str) else value


def _like_an_email(text: str) -> str:
    if not is_email(text):
        raise ValueError("应为电子邮箱地址")
    return text


Rendered = Annotated[datetime, PlainSerializer(render_milliseconds, return_type=str)]
# What it names may not exist, also because it cannot: that is 404 (E008).
Id = Annotated[Text, Field(min_length=1, max_length=64)]
Written = Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_not_blank)]
Email = Annotated[Text, BeforeValidator(_email), AfterValidator(_like_an_email), Field(max_length=254)]
Code = Annotated[str, BeforeValidator(lambda v: v.strip() if isinstance(v, str) else v), Field(pattern=r"^[0-9]{6}$")]


class Body(BaseModel):
    """A request; a field that we do not know is refused, never dropped in silence."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """An answer, read from a row."""

    model_config = ConfigDict(from_attributes=True)


class Ok(BaseModel):
    """It was done."""

    ok: Literal[True] = True


class CodeRequest(Body):
    """Whom to send a code (E048)."""

    email: Email


class CodeCheck(Body):
    """The code that was sent (E049)."""

    email: Email
    code: Code


class LoggedIn(BaseModel):
    """A token and the role that it opens with; what counts is read at each request."""

    token: str
    role: Role


class Me(BaseModel):
    """Who one is (E052); `userId` is the internal id (G61)."""

    user_id: UUID = Field(serialization_alias="userId")
    email: str
    role: Role


class StudentMe(Me):
    """Who a student is, and his visitors."""

    visitor_instance_ids: list[UUID] = Field(serialization_alias="visitorInstanceIds")


class SessionStart(Body):
    """A session to begin (E012, G48): with `auto` false under the number that is given."""

    visitor_instance_id: Id = Field(alias="visitorInstanceId")
    auto: Annotated[bool, Strict()] = True
    session_number: Annotated[int, Strict(), Field(ge=1, le=_MAX_INT4)] | None = Field(None, alias="sessionNumber")


class StartedSession(BaseModel):
    """Its id and number."""

    session_id: UUID = Field(serialization_alias="sessionId")
    session_number: int = Field(serialization_alias="sessionNumber")


class MessageBody(Body):
    """A message of either side; the client posts both (E015, W32)."""

    speaker: Literal["user", "ai"]
    content: Written


class FinalizeBody(Body):
    """The homework given to the visitor, as one text (E017); blank: none (G52)."""

    assignment: Annotated[Text, Field(max_length=_LONGEST_ASSIGNMENT)] | None = None


class Memory(BaseModel):
    """The visitor's memory (E018)."""

    thisweek_focus: str
    discussed_topics: str
    milestones: str
    recurring_patterns: str
    core_belief_evolution: str


class Finalized(BaseModel):
    """What a session left; `activityJson` is a string that holds JSON (K07)."""

    diary: str
    activity_json: str = Field(serialization_alias="activityJson")
    ltm: Memory


class Reply(BaseModel):
    """What the visitor said (G47)."""

    reply: str


class ChatLine(BaseModel):
    """A message with its time."""

    speaker: Literal["user", "ai"]
    content: str
    timestamp: str


class Homework(BaseModel):
    """What the visitor was given to do (G52)."""

    title: str
    status: str


class LastChat(BaseModel):
    """The newest session's messages, and nothing else of it (E027, K10)."""

    session_id: UUID = Field(serialization_alias="sessionId")
    session_number: int = Field(serialization_alias="sessionNumber")
    chat_history: list[ChatLine] = Field(serialization_alias="chatHistory")


class LastCompleted(BaseModel):
    """The newest finalised session's summary (E026); `preSessionActivity` is a string here (K07)."""

    session_id: UUID = Field(serialization_alias="sessionId")
    session_number: int = Field(serialization_alias="sessionNumber")
    session_diary: str | None = Field(serialization_alias="sessionDiary")
    pre_session_activity: str | None = Field(serialization_alias="preSessionActivity")
    homework: list[Homework]


class SessionDetail(BaseModel):
    """A session in full (E029); `preSessionActivity` is an object here (K07)."""

    session_id: UUID = Field(serialization_alias="sessionId")
    session_number: int = Field(serialization_alias="sessionNumber")
    chat_history: list[ChatLine] = Field(serialization_alias="chatHistory")
    session_diary: str | None = Field(serialization_alias="sessionDiary")
    pre_session_activity: dict[str, Any] | None = Field(serialization_alias="preSessionActivity")
    homework: list[Homework]


class SessionItem(View):
    """A session in a list (E028)."""

    id: UUID = Field(serialization_alias="sessionId")
    session_number: int = Field(serialization_alias="sessionNumber")
    created_at: Rendered = Field(serialization_alias="createdAt")
    has_diary: bool = Field(serialization_alias="hasDiary")
    has_activity: bool = Field(serialization_alias="hasActivity")


class SessionPage(BaseModel):
    """A page of sessions; it echoes where it stands, without a total (K05)."""

    items: list[SessionItem]
    page: int
    page_size: int = Field(serialization_alias="pageSize")
