"""`colloquy eval counseling`: recorded sessions are finalised with the configured models, and a table says how."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from core.errors import ColloquyError
from core.roles import Role
from core.settings import OFFLINE, Settings
from nodes.common.resources import Resources, bind
from nodes.counseling.prompting import FINGERPRINT
from nodes.counseling.records import CounselingRecords, InMemoryCounselingRecords
from server.evaluation.recorded_sessions import RecordedSession, holds, load
from server.evaluation.sets import SETS, Sample, Set, outcomes_of

_WORKFLOW: Final = "counseling_finalize"
_STAGES: Final[tuple[Role, ...]] = ("diary", "activity", "ltm")
_SESSION: Final = "evaluation"
_OFFLINE_NOTE: Final = (
    "These are figures of the offline model: rules quote the session and keep the old memory word for word. They\n"
    "show that the stages hold together; they say nothing about how well a language model would write or remember."
)


@dataclass(frozen=True)
class Outcome:
    """What became of one session; `failed` is the code of the error, where there is nothing.

    Attributes:
        first: the stages that were valid at the first attempt.
        fallbacks: what was not made by a model, see the workflow's output.
        kept: facts of earlier sessions that the memory still holds; `lost` those that it does not.
        told: facts of this session that diary or memory hold, `untold` those that neither holds.
        wrong: what stands somewhere and must not.
    """

    group: Set
    name: str
    seconds: float
    first: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    failed: str = ""


async def evaluate(settings: Settings, folder: Path, at_once: int) -> None:
    """Finalise every session and print the table; what fails is a row of it, not the end."""
    sessions = await asyncio.to_thread(load, folder)
    outcomes, models = await outcomes_of(settings, _WORKFLOW, sessions, at_once, _outcome)
    typer.echo(_report(outcomes, sorted({models.name(role) for role in _STAGES})))


async def _outcome(sample: Sample[RecordedSession]) -> Outcome:
    recorded = sample.item
    records = InMemoryCounselingRecords({_SESSION: recorded.context()})
    given: Any = {"session_id": _SESSION, "assignment": recorded.assignment}
    try:
        with bind(Resources(models=sample.models, repositories={CounselingRecords: records})):
            output = await sample.graph.ainvoke(given)
    except ColloquyError as error:
        return Outcome(sample.group, sample.name, sample.seconds, failed=error.code)
    return judged(sample.group, sample.name, sample.seconds, recorded, output)


def judged(group: Set, name: str, seconds: float, recorded: RecordedSession, output: Mapping[str, Any]) -> Outcome:
    """Hold an output against the session's labels."""
    memory = " ".join(output["ltm"].values())
    written = f"{output['diary']} {memory}"
    everything = f"{written} {output['activity']}"
    labels = recorded.labels
    return Outcome(
        group,
        name,
        seconds,
        first=tuple(s for s in _STAGES if output["attempts"][s] == 1 and s not in output["fallbacks"]),
        fallbacks=tuple(output["fallbacks"]),
        kept=tuple(fact for fact in labels.earlier if holds(memory, fact)),
        lost=tuple(fact for fact in labels.earlier if not holds(memory, fact)),
        told=tuple(fact for fact in labels.session if holds(written, fact)),
        untold=tuple(fact for fact in labels.session if not holds(written, fact)),
        wrong=tuple(fact for fact in labels.absent if holds(everything, fact)),
    )


def _report(outcomes: Sequence[Outcome], models: Sequence[str]) -> str:
    width = max(len(outcome.name) for outcome in outcomes) + 2
    lines = [
        f"counseling, models: {', '.join(models)}",
        f"prompts: {FINGERPRINT}",
        "first: stages valid at the first attempt; kept: earlier facts in the new memory; told: facts of the session",
        "",
        "  ".join(["set".ljust(10), "session".ljust(width), "  sec", "first", "kept", "told", "wrong", "fallbacks"]),
        *(_row(outcome, width) for outcome in outcomes),
        "",
        *(_summary(group, [each for each in outcomes if each.group == group]) for group in SETS),
    ]
    return "\n".join([*lines, "", _OFFLINE_NOTE] if OFFLINE in models else lines)


def _row(outcome: Outcome, width: int) -> str:
    start = f"{outcome.group:<10}  {outcome.name:<{width}}"
    if outcome.failed:
        return f"{start}  failed: {outcome.failed}"
    kept = _share(len(outcome.kept), len(outcome.lost))
    told = _share(len(outcome.told), len(outcome.untold))
    figures = f"{outcome.seconds:>5.1f}  {len(outcome.first)}/{len(_STAGES):<3}  {kept:<4}  {told:<4}"
    return f"{start}  {figures}  {len(outcome.wrong):<5}  {', '.join(outcome.fallbacks) or '-'}"


def _summary(group: Set, outcomes: Sequence[Outcome]) -> str:
    answered = [each for each in outcomes if not each.failed]
    stages = len(answered) * len(_STAGES)
    first = sum(len(each.first) for each in answered)
    kept = _share(sum(len(each.kept) for each in answered), sum(len(each.lost) for each in answered))
    told = _share(sum(len(each.told) for each in answered), sum(len(each.untold) for each in answered))
    return (
        f"{group}: {len(outcomes)} sessions, valid at the first attempt {first}/{stages} stages, "
        f"with fallbacks {sum(bool(each.fallbacks) for each in answered)}, earlier facts kept {kept}, "
        f"session facts told {told}, wrong {sum(len(each.wrong) for each in answered)}, "
        f"failed {len(outcomes) - len(answered)}"
    )


def _share(held: int, missing: int) -> str:
    return f"{held}/{held + missing}"
