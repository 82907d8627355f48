"""The state of a strategy: ids, small JSON and storage keys (X022). Input, output and all between are schemas each."""

from typing import Annotated, Final

from pydantic import Field
from typing_extensions import TypedDict

from nodes.audio_strategy.records import Advice, Visual

MOST_ADVICES: Final = 5
"""Of one skill."""
MOST_FUSED: Final = 6
MOST_VISUALS: Final = 3


class SceneInput(TypedDict):
    """Which recording to look at; it must have been analysed."""

    session_id: Annotated[str, Field(title="Session id")]


class SceneOutput(TypedDict):
    """What the conversation is taken for, and how sure that is (0 to 1)."""

    scene_category: str
    scene_confidence: float


class SceneState(SceneInput, SceneOutput):
    """All of the scene workflow."""


class StrategyInput(SceneInput):
    """Which recording to coach, and the id of the strategy that comes of it: a new one for each that is started."""

    strategy_id: Annotated[str, Field(title="Strategy id")]


class StrategyOutput(SceneOutput):
    """The strategy, see `records.Strategy`; its pictures without their keys."""

    applied_skills: list[str]
    strategies: list[Advice]
    visual_data: list[Visual]


class Draft(Advice):
    """A piece of advice with the idea of a picture for it, which may be empty (T02)."""

    picture: str


class Outcome(TypedDict):
    """What came of one skill: drafts, or the sentence that says why there are none."""

    drafts: list[Draft]
    failed: str | None


class SkillTask(StrategyInput):
    """One skill to be applied; `alone` where there is no other, `steps` is how many the run has."""

    skill_id: str
    scene_category: str
    scene_confidence: float
    alone: bool
    steps: int


class PictureTask(StrategyInput):
    """One picture to be made; `title` and `lines` are what stands on a card where nothing can paint."""

    visual: Visual
    title: str
    lines: list[str]


def merge_outcomes(held: dict[str, Outcome], new: dict[str, Outcome] | None) -> dict[str, Outcome]:
    """Add outcomes to those held, by skill; None forgets them, at the start of a run (X020)."""
    return {} if new is None else {**held, **new}


def merge_visuals(held: dict[str, Visual], new: dict[str, Visual] | None) -> dict[str, Visual]:
    """Add pictures to those held, by index; None forgets them, at the start of a run (X020)."""
    return {} if new is None else {**held, **new}


class StrategyState(StrategyInput, StrategyOutput):
    """All that a run keeps between its steps.

    Attributes:
        steps: how many steps are reported in all.
        chosen: ids of the skills to be applied, by priority.
        outcomes: what came of each, by id.
        drafts: the advice of the whole strategy, with ideas for pictures.
        painted: the pictures that are settled, by index; with their storage keys.
    """

    steps: int
    chosen: list[str]
    outcomes: Annotated[dict[str, Outcome], merge_outcomes]
    drafts: list[Draft]
    painted: Annotated[dict[str, Visual], merge_visuals]
