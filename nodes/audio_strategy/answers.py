"""The forms of the models' answers, and what is checked in them (X028)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from nodes.audio_strategy.likeness import repetitions
from nodes.audio_strategy.quotes import MOST as MOST_QUOTES
from nodes.audio_strategy.quotes import Said
from nodes.audio_strategy.state import MOST_ADVICES, MOST_FUSED, Draft
from nodes.common.fields import clipped, texts

TITLE: Final = 40
# The prompts ask for a third of this; English takes three letters where Chinese takes one.
TEXT: Final = 500
SCRIPT: Final = 300
QUOTE: Final = 300
IDEA: Final = 300


class Item(BaseModel):
    """One piece of advice in an answer."""

    title: Annotated[str, clipped(TITLE), Field(min_length=1)]
    insight: Annotated[str, clipped(TEXT)] = ""
    advice: Annotated[str, clipped(TEXT), Field(min_length=1)]
    script: Annotated[str, clipped(SCRIPT)] = ""
    quotes: Annotated[list[str], texts(2 * MOST_QUOTES, QUOTE)] = []
    picture: Annotated[str, clipped(IDEA)] = ""

    def draft(self, skills: Sequence[str], said: Said, names: Sequence[str]) -> Draft:
        """Return it as it is kept; quotes that nobody said are left out."""
        return Draft(
            title=self.title,
            insight=self.insight,
            advice=self.advice,
            script=self.script,
            quotes=said.known(self.quotes, names),
            skills=list(skills),
            picture=self.picture,
        )


def _some(most: int) -> BeforeValidator:
    """Take the first `most` of a list that are objects; a title or advice that is missing is not made up."""

    def read(value: Any) -> Any:
        return [one for one in value if isinstance(one, dict)][:most] if isinstance(value, list) else value

    return BeforeValidator(read)


class SkillAnswer(BaseModel):
    """What a skill's model answers."""

    advices: Annotated[list[Item], _some(MOST_ADVICES), Field(min_length=1)]


class FusedItem(Item):
    """One piece of advice with the skills that it comes from."""

    skills: Annotated[list[str], texts(10, 100)] = []


class FusedAnswer(BaseModel):
    """What the fusing model answers. The validation's context holds `skills`: ids of those that are fused."""

    advices: Annotated[list[FusedItem], _some(MOST_FUSED), Field(min_length=1)]

    @field_validator("advices")
    @classmethod
    def _attributed(cls, advices: list[FusedItem], info: ValidationInfo) -> list[FusedItem]:
        given: Mapping[str, Any] = info.context or {}
        skills: list[str] = given["skills"]
        for number, one in enumerate(advices):
            one.skills = [skill for skill in skills if skill in one.skills]
            if not one.skills:
                raise ValueError(f"第 {number + 1} 条的 skills 须取自 {', '.join(skills)}")
        if missing := [skill for skill in skills if not any(skill in one.skills for one in advices)]:
            raise ValueError(f"没有一条来自 {', '.join(missing)}")
        return advices

    @field_validator("advices")
    @classmethod
    def _each_once(cls, advices: list[FusedItem]) -> list[FusedItem]:
        plain = [one.draft((), _NOTHING, ()) for one in advices]
        if found := repetitions(plain):
            pairs = "、".join(f"第 {one + 1} 条与第 {other + 1} 条" for one, other in found)
            raise ValueError(f"{pairs}几乎相同，请合并")
        return advices


_NOTHING: Final = Said(())
