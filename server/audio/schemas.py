"""Bodies of recordings and what is made of them (A021–A029, G05–G09); the envelope is the one of logins (A009)."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PlainSerializer

from core.clock import render_seconds
from server.fields import Text
from server.paging import Pagination

Status = Literal["pending", "analyzing", "completed", "failed"]
Rendered = Annotated[datetime, PlainSerializer(render_seconds, return_type=str)]

LONGEST_SPEAKER: Final = 60


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class UploadedSession(_Row):
    """A recording that was taken in (G05)."""

    session_id: UUID
    title: str
    status: Status
    created_at: Rendered


class SessionItem(_Row):
    """A recording in a list; `duration` in seconds, `emotion_score` from 0 to 100 (G07)."""

    session_id: UUID
    title: str
    status: Status
    duration: float
    speaker_count: int | None
    emotion_score: float | None
    tags: list[str]
    created_at: Rendered


class SessionList(BaseModel):
    """A page of one's recordings, newest first (A023)."""

    sessions: list[SessionItem]
    pagination: Pagination


class AnalysisView(_Row):
    """What was found in a recording (G07)."""

    summary: str
    conversation_summary: str
    mood_score: float | None
    risks: list[dict[str, Any]]
    dialogues: list[dict[str, Any]]
    speaker_mapping: dict[str, str]


class VisualView(BaseModel):
    """A picture of a strategy (G11)."""

    image_index: int
    prompt: str
    image_url: str | None
    status: str


class StrategyView(_Row):
    """A strategy (G07); `applied_skills` are in the order of their priority (A055)."""

    scene_category: str
    scene_confidence: float
    applied_skills: list[str]
    strategies: list[dict[str, Any]]
    visual_data: list[VisualView]


class SessionDetail(SessionItem):
    """A recording with all that was made of it (A024)."""

    analysis: AnalysisView | None
    strategy: StrategyView | None


class SessionStatus(BaseModel):
    """How far an analysis is (A025, G06); `estimatedTimeRemaining` in seconds."""

    session_id: UUID
    status: Status
    progress: int = Field(ge=0, le=100)
    estimatedTimeRemaining: int | None  # noqa: N815 - the seed's spelling
    failureReason: str | None  # noqa: N815 - likewise
    updated_at: Rendered


class Scene(BaseModel):
    """What kind of conversation it is (A026)."""

    scene_category: str
    scene_confidence: float


class StrategyRequest(BaseModel):
    """Whether a new strategy is wanted where there is one (G08)."""

    model_config = ConfigDict(extra="forbid")

    force: bool = False


class StrategyState(BaseModel):
    """How far a strategy is, and the newest one that is stored."""

    status: Literal["none", "running", "completed", "failed"]
    progress: int = Field(ge=0, le=100)
    estimatedTimeRemaining: int | None  # noqa: N815 - as the analysis' status
    failureReason: str | None  # noqa: N815 - likewise
    strategy: StrategyView | None


class SegmentRequest(BaseModel):
    """A piece to cut out: seconds from the recording's beginning, and who speaks in it (A029)."""

    model_config = ConfigDict(extra="forbid")

    start_time: FiniteFloat
    end_time: FiniteFloat
    speaker: Annotated[Text, Field(min_length=1, max_length=LONGEST_SPEAKER)]


class Piece(_Row):
    """A piece that was cut out (G09)."""

    segment_id: UUID
    speaker: str
    start_time: float
    end_time: float
    duration: float
    audio_url: str | None


class Segment(Piece):
    """What one person said without a break, or a piece that was cut out; only that one has an address."""

    text: str


class SegmentList(BaseModel):
    """A recording's segments, in order of time (A028)."""

    segments: list[Segment]


class Waveform(BaseModel):
    """A recording's waveform: the lowest and highest sample (-1 to 1) of each of equally long stretches."""

    duration: float
    lowest: list[float]
    highest: list[float]


class DeletedSession(BaseModel):
    """A recording that is gone."""

    session_id: UUID


class PictureLink(BaseModel):
    """An address of a picture that needs no login, and when it ends."""

    url: str
    expires_at: Rendered


class CleanedUp(BaseModel):
    """How many pictures are gone that were older than `days` (A033)."""

    days: int
    deleted: int
