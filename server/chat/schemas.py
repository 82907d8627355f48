"""Bodies of deep chat, with the seed's keys in the seed's order (D003, D009, D013, D020, D023, G39)."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.json_schema import SkipJsonSchema

from core.clock import render_seconds
from server.paging import Pagination

Mode = Literal["chat", "deep"]
HumanDecision = Literal["revise", "skip"]

LONGEST_USER_ID: Final = 128
LONGEST_MESSAGE: Final = 20_000
MOST_TAGS: Final = 20
LONGEST_TAG: Final = 50


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("不能含有字符 U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("含有无效字符") from None
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("不能为空")
    return text


Text = Annotated[str, AfterValidator(_storable)]
UserId = Annotated[Text, Field(min_length=1, max_length=LONGEST_USER_ID), AfterValidator(_not_blank)]
Message = Annotated[Text, Field(max_length=LONGEST_MESSAGE), AfterValidator(_not_blank)]
Tags = Annotated[list[Annotated[Text, Field(max_length=LONGEST_TAG)]], Field(max_length=MOST_TAGS)]
# Not a UUID: whatever is no session's id is answered like one that has expired (K25).
SessionId = Annotated[Text, Field(max_length=128)]
Rendered = Annotated[datetime, PlainSerializer(render_seconds, return_type=str)]

_WHO: Final = "The user's id. With FRONTEND_AUTH=token the login says who it is, and this is not read."


class _Request(BaseModel):
    # A field that is not known is refused, never dropped in silence.
    model_config = ConfigDict(extra="forbid")


class NewChat(_Request):
    """A new conversation of a user (D009); with FRONTEND_AUTH=token it must be the login's own id (G44)."""

    user_id: UserId


class ChatRequest(_Request):
    """A message (D013). No session_id, or an empty one, makes a session (K25)."""

    message: Message
    session_id: SessionId | None = None
    user_id: Annotated[UserId | None, Field(description=_WHO)] = None
    mode: Mode = "chat"
    tags: Tags | None = None


class RawRequest(_Request):
    """A deep message without the frontend's wrapping (D040, G45)."""

    user_id: Annotated[UserId | None, Field(description=_WHO)] = None
    raw_input: Message
    session_id: SessionId | None = None
    tags: Tags | None = None

    def as_chat(self) -> ChatRequest:
        """Return the frontend's request that asks the same."""
        return ChatRequest.model_construct(
            message=self.raw_input, session_id=self.session_id, user_id=self.user_id, mode="deep", tags=self.tags
        )


class ResumeRequest(_Request):
    """The answer to the question whether to revise (G34); without a user_id the session's id says who it is."""

    session_id: SessionId
    human_decision: HumanDecision
    user_id: Annotated[UserId | None, Field(description=_WHO)] = None


class Initialised(BaseModel):
    """A user and a first session (D003)."""

    success: Literal[True] = True
    user_id: str
    session_id: str
    thread_id: str


class Created(BaseModel):
    """A session (D009)."""

    success: Literal[True] = True
    session_id: str
    thread_id: str


class Phase(BaseModel):
    """A step of the thinking process (D024)."""

    phase: str
    content: str


class ContentSections(BaseModel):
    """The parts of a deep answer (D025); a part that there is not is empty."""

    thinking_narrative: str = ""
    output: str = ""
    evaluation: str = ""
    suggestion: str = ""


class ChatAnswer(BaseModel):
    """A quick answer (D020)."""

    success: Literal[True] = True
    response: str
    thinking_process: Annotated[list[Phase], Field(max_length=0)] = Field(default_factory=list)
    session_id: str
    mode: Literal["chat"] = "chat"


class DeepAnswer(BaseModel):
    """A deep answer (D023)."""

    success: Literal[True] = True
    response: str
    thinking_process: list[Phase]
    content_sections: ContentSections
    session_id: str
    mode: Literal["deep"] = "deep"
    intent: str


Answer = ChatAnswer | DeepAnswer


class Uploaded(BaseModel):
    """A document that was read and kept (G39)."""

    success: Literal[True] = True
    document_id: str
    filename: str
    session_id: str
    document_count: int


class HistoryMessage(BaseModel):
    """A message of a session; a deep answer carries its parts."""

    number: int
    role: Literal["user", "assistant"]
    content: str
    mode: Mode
    created_at: Rendered
    tags: list[str] | SkipJsonSchema[None] = None
    thinking_process: list[Phase] | SkipJsonSchema[None] = None
    content_sections: ContentSections | SkipJsonSchema[None] = None
    intent: str | SkipJsonSchema[None] = None


Standing = Literal["idle", "answering", "awaiting_decision"]


class History(BaseModel):
    """A page of a session's messages, oldest first, and what the session is doing."""

    success: Literal[True] = True
    session_id: str
    status: Standing
    messages: list[HistoryMessage]
    pagination: Pagination


class SessionItem(BaseModel):
    """A session in a list; its title is the beginning of what was asked first."""

    session_id: str
    thread_id: str
    title: str
    created_at: Rendered
    updated_at: Rendered
    expires_at: Rendered


class SessionList(BaseModel):
    """A page of one's sessions that have not expired, newest first."""

    success: Literal[True] = True
    sessions: list[SessionItem]
    pagination: Pagination


def deep_answer(session_id: str, output: dict[str, Any]) -> DeepAnswer:
    """Return what the workflow put out, or what was kept of it, as an answer; other keys are left out."""
    return DeepAnswer(
        response=output.get("response") or "",
        thinking_process=output.get("thinking_process") or [],
        content_sections=output.get("content_sections") or ContentSections(),
        session_id=session_id,
        intent=output.get("intent") or "free_discussion",
    )
