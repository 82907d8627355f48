"""`colloquy eval audio`: labelled transcripts get a strategy with the configured models, and a table says how."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import typer
from langchain_core.language_models import BaseChatModel

from core.errors import ColloquyError
from core.roles import Role
from core.settings import OFFLINE, Settings
from nodes.audio_strategy.prompting import FINGERPRINT
from nodes.audio_strategy.records import DirectoryShelf, InMemoryStrategyRecords, SkillShelf, StrategyRecords
from nodes.common.resources import Resources, bind
from providers.models import Models
from providers.speech.model import AudioInput
from server.evaluation import strategies
from server.evaluation.audio_transcripts import LabelledTranscript, load
from server.evaluation.sets import SETS, Sample, Set, outcomes_of
from skills.catalog import SKILLS

_WORKFLOW: Final = "audio_strategy"
_ROLES: Final[tuple[Role, ...]] = ("scene", "strategy", "fuse")
_GIVEN: Final = {"session_id": "evaluation", "strategy_id": str(UUID(int=0))}
_OFFLINE_NOTE: Final = (
    "These are figures of the offline model: rules look for words, and give a skill's own phrases. They show that the\n"
    "workflow holds together; they say nothing about how well a language model tells scenes or coaches."
)


@dataclass(frozen=True)
class Outcome:
    """What became of one transcript; `failed` is the code of the error, where there is no strategy.

    Attributes:
        scene, skill: whether the scene, and the skill that comes first, are as labelled.
        fused: whether several skills entered the strategy.
        attributed: whether attribution holds.
        advices: how many pieces there are, `bare` of them without a quote.
        quoted, quotes: how many quotes were said, of how many.
        repeated: pairs of pieces that say the same.
        touched, moments: how many labelled moments the strategy speaks of, of how many.
    """

    group: Set
    name: str
    seconds: float
    failed: str = ""
    scene: bool = False
    skill: bool = False
    fused: bool = False
    attributed: bool = False
    advices: int = 0
    bare: int = 0
    quoted: int = 0
    quotes: int = 0
    repeated: int = 0
    touched: int = 0
    moments: int = 0


class _WithoutPictures:
    """The configured models, without what paints: nobody looks at pictures here, and they are not cheap."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.max_attempts = models.max_attempts

    def fallback(self, role: Role) -> Role | None:
        return self._models.fallback(role)

    async def chat(self, role: Role) -> BaseChatModel:
        return await self._models.chat(role)

    def audio_input(self, role: Role) -> AudioInput | None:
        return self._models.audio_input(role)

    async def painter(self) -> None:
        return None


async def evaluate(settings: Settings, folder: Path, at_once: int) -> None:
    """Coach every transcript and print the table; what fails is a row of it, not the end."""
    transcripts = await asyncio.to_thread(load, folder)
    shelf = DirectoryShelf(settings.skills_dir or SKILLS)

    async def outcome(sample: Sample[LabelledTranscript]) -> Outcome:
        records = InMemoryStrategyRecords({_GIVEN["session_id"]: sample.item.session()})
        repositories: dict[type, object] = {StrategyRecords: records, SkillShelf: shelf}
        try:
            with bind(Resources(models=_WithoutPictures(sample.models), repositories=repositories)):
                strategy = await sample.graph.ainvoke(dict(_GIVEN))
        except ColloquyError as error:
            return Outcome(sample.group, sample.name, sample.seconds, failed=error.code)
        return judged(sample.group, sample.name, sample.seconds, sample.item, strategy)

    outcomes, models = await outcomes_of(settings, _WORKFLOW, transcripts, at_once, outcome)
    typer.echo(_report(outcomes, sorted({models.name(role) for role in _ROLES})))


def judged(
    group: Set, name: str, seconds: float, transcript: LabelledTranscript, strategy: Mapping[str, Any]
) -> Outcome:
    """Hold a strategy against the transcript and its labels."""
    quoted, quotes = strategies.quoted(transcript, strategy)
    return Outcome(
        group,
        name,
        seconds,
        scene=strategy["scene_category"] == transcript.scene,
        skill=strategy["applied_skills"][:1] == [transcript.skill],
        fused=len(strategy["applied_skills"]) > 1,
        attributed=strategies.attribution(strategy),
        advices=len(strategy["strategies"]),
        bare=strategies.without_quotes(strategy),
        quoted=quoted,
        quotes=quotes,
        repeated=strategies.repeated(strategy),
        touched=len(strategies.touched(transcript.moments, strategy)),
        moments=len(transcript.moments),
    )


def _report(outcomes: Sequence[Outcome], models: Sequence[str]) -> str:
    width = max(len(outcome.name) for outcome in outcomes) + 2
    heads = [
        "set".ljust(10),
        "transcript".ljust(width),
        "  sec",
        "scene",
        "skill",
        "fused",
        "advice",
        "quotes",
        "moments",
    ]
    lines = [
        f"audio strategy, models: {', '.join(models)}",
        f"prompts: {FINGERPRINT}",
        "skill: the first one is as labelled; quotes: said / given; moments: labelled ones that the strategy speaks of",
        "",
        "  ".join([*heads, "wrong"]),
        *(_row(outcome, width) for outcome in outcomes),
        "",
        *(_summary(group, [each for each in outcomes if each.group == group]) for group in SETS),
    ]
    return "\n".join([*lines, "", _OFFLINE_NOTE] if OFFLINE in models else lines)


def _row(outcome: Outcome, width: int) -> str:
    start = f"{outcome.group:<10}  {outcome.name:<{width}}"
    if outcome.failed:
        return f"{start}  failed: {outcome.failed}"
    wrong = [
        *([] if outcome.attributed else ["attribution"]),
        *(["repetition"] if outcome.repeated else []),
        *(["no quote"] if outcome.bare else []),
    ]
    cells = [
        f"{outcome.seconds:>5.1f}",
        f"{_mark(outcome.scene):<5}",
        f"{_mark(outcome.skill):<5}",
        f"{_mark(outcome.fused):<5}",
        f"{outcome.advices:<6}",
        f"{outcome.quoted}/{outcome.quotes}".ljust(6),
        (f"{outcome.touched}/{outcome.moments}" if outcome.moments else "-").ljust(7),
        ", ".join(wrong) or "-",
    ]
    return "  ".join([start, *cells])


def _summary(group: Set, outcomes: Sequence[Outcome]) -> str:
    made = [each for each in outcomes if not each.failed]
    fused = [each for each in made if each.fused]
    return (
        f"{group}: {len(outcomes)} transcripts, scene {sum(each.scene for each in made)}/{len(outcomes)}, first skill "
        f"{sum(each.skill for each in made)}/{len(outcomes)}, fused {len(fused)}; attribution "
        f"{sum(each.attributed for each in made)}/{len(made)}, quotes said "
        f"{sum(each.quoted for each in made)}/{sum(each.quotes for each in made)}, pieces without one "
        f"{sum(each.bare for each in made)}/{sum(each.advices for each in made)}, repetitions "
        f"{sum(each.repeated for each in made)}, moments "
        f"{sum(each.touched for each in made)}/{sum(each.moments for each in made)}, "
        f"failed {len(outcomes) - len(made)}"
    )


def _mark(right: bool) -> str:  # noqa: FBT001 - it is what is shown
    return "yes" if right else "no"
