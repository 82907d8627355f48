"""Bodies of skills (A034–A038, A054, G03, G04)."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, Strict

from server.audio.schemas import Rendered
from server.fields import Text
from skills.document import LONGEST_BODY, LONGEST_DESCRIPTION, LONGEST_ID, PRIORITIES

_LONGEST_NAME: Final = 200
_MOST_KEYWORDS: Final = 100

Name = Annotated[Text, Field(min_length=1, max_length=_LONGEST_NAME)]
Description = Annotated[Text, Field(min_length=1, max_length=LONGEST_DESCRIPTION)]
Prompt = Annotated[Text, Field(min_length=1, max_length=LONGEST_BODY)]
Priority = Annotated[int, Strict(), Field(ge=PRIORITIES[0], le=PRIORITIES[-1])]
Version = Annotated[Text, Field(min_length=1, max_length=50)]
Keywords = Annotated[list[Annotated[Text, Field(max_length=_LONGEST_NAME)]], Field(max_length=_MOST_KEYWORDS)]


class SkillChanges(BaseModel):
    """What is to be changed of a skill; its file stays as it is (A037, G04)."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    description: Description | None = None
    category: Text | None = None
    priority: Priority | None = None
    enabled: Annotated[bool, Strict()] | None = None
    version: Version | None = None
    keywords: Keywords | None = None
    prompt_template: Prompt | None = None

    def values(self) -> dict[str, Any]:
        """Return what was sent, under the names of the files' fields."""
        sent = self.model_dump(exclude_unset=True, exclude={"skill_id"})
        return {"title" if name == "name" else name: value for name, value in sent.items() if value is not None}


class NewSkill(SkillChanges):
    """A skill to be made (A036); its file's path follows from its id (W06)."""

    skill_id: Annotated[Text, Field(max_length=LONGEST_ID)]
    name: Name
    description: Description
    category: Text
    prompt_template: Prompt


class SkillItem(BaseModel):
    """A skill in a list (A034); `problem`, shown to administrators, says why it is not used."""

    skill_id: str
    name: str
    description: str
    category: str
    priority: int
    enabled: bool
    version: str
    updated_at: Rendered
    problem: str | None = None


class SkillList(BaseModel):
    """All skills, by scene and priority."""

    skills: list[SkillItem]


class SkillDetail(SkillItem):
    """A whole skill (A035); `overrides` are what differs from its file."""

    skill_path: str
    keywords: list[str]
    references: list[str]
    overrides: dict[str, Any]
    prompt_template: str
    created_at: Rendered


class SkillFailure(BaseModel):
    """An execution that failed."""

    session_id: UUID
    error_message: str | None
    created_at: Rendered


class ExecutionStatistics(BaseModel):
    """How a skill did in the last `days`: one's own executions, or everybody's for administrators; times in ms."""

    skill_id: str
    days: int
    scope: str
    executions: int
    successes: int
    success_rate: float | None
    mean_confidence: float | None
    p50_ms: float | None
    p95_ms: float | None
    last_at: datetime | None
    recent_failures: list[SkillFailure]
