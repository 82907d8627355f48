"""Bodies of profiles (A039–A043, A052, G12)."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from server.audio.schemas import Rendered
from server.fields import Text
from server.paging import Pagination


def _not_blank(name: str) -> str:
    if not name.strip():
        raise ValueError("不能为空")
    return name


Name = Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(_not_blank)]
Relationship = Annotated[Text, Field(max_length=50)]
Notes = Annotated[Text, Field(max_length=5000)]
Seconds = Annotated[FiniteFloat, Field(ge=0)]


class ProfileChanges(BaseModel):
    """What is to be changed of a profile; what is not sent stays (A041).

    The `audio_…` fields say where the person is heard: a recording, a segment of it, seconds from its beginning.
    """

    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    relationship: Relationship = ""
    notes: Notes = ""
    audio_session_id: UUID | None = None
    audio_segment_id: UUID | None = None
    audio_start_time: Seconds | None = None
    audio_end_time: Seconds | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        start, end = self.audio_start_time, self.audio_end_time
        if start is not None and end is not None and start >= end:
            raise ValueError("audio_start_time 应小于 audio_end_time")
        return self


class NewProfile(ProfileChanges):
    """A profile to be made (A040)."""

    name: Name


class ProfileView(BaseModel):
    """Somebody whom the caller talks with; both addresses need the caller's Bearer header."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    relationship: str
    photo_url: str | None
    notes: str
    audio_session_id: UUID | None
    audio_segment_id: UUID | None
    audio_start_time: float | None
    audio_end_time: float | None
    audio_url: str | None
    created_at: Rendered
    updated_at: Rendered


class ProfileList(BaseModel):
    """A page of one's profiles, newest first."""

    profiles: list[ProfileView]
    pagination: Pagination


class PhotoView(BaseModel):
    """Where a photo is now."""

    photo_url: str


class DeletedProfile(BaseModel):
    """A profile that is gone."""

    id: UUID
