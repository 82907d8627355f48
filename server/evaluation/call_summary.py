"""`colloquy eval call-summary`: labelled calls go through the workflow, and a table says what was covered (G29)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from core.errors import ColloquyError
from core.settings import OFFLINE, Settings
from nodes.common.resources import Resources, bind
from server.evaluation.call_points import KINDS, Coverage, LabelledCall, coverage, load
from server.evaluation.sets import SETS, Sample, Set, outcomes_of

_WORKFLOW: Final = "call_summary"
_ROLE: Final = "summary"
# C053: what a call has to reach to count as summarised well.
_WELL: Final = 0.8
_OFFLINE_NOTE: Final = (
    "These are figures of the offline model: rules pick sentences out of the call. They say nothing about how well a\n"
    "language model summarises."
)


@dataclass(frozen=True)
class Outcome:
    """What became of one call; `failed` is the code of the error, where there is no summary."""

    group: Set
    name: str
    seconds: float
    characters: int = 0
    found: Coverage | None = None
    failed: str = ""


async def evaluate(settings: Settings, folder: Path, at_once: int, *, tells_missing: bool = False) -> None:
    """Summarise every call and print the table; what fails is a row of it, with no point covered, not the end."""
    calls = await asyncio.to_thread(load, folder)
    outcomes, models = await outcomes_of(settings, _WORKFLOW, calls, at_once, _outcome)
    typer.echo(_report(outcomes, models.name(_ROLE), tells_missing=tells_missing))


async def _outcome(sample: Sample[LabelledCall]) -> Outcome:
    given: Any = {"messages": sample.item.messages}
    try:
        with bind(Resources(models=sample.models)):
            summary = str((await sample.graph.ainvoke(given))["summary"])
        failed = ""
    except ColloquyError as error:
        summary, failed = "", error.code
    return Outcome(sample.group, sample.name, sample.seconds, len(summary), coverage(sample.item, summary), failed)


def _report(outcomes: Sequence[Outcome], model: str, *, tells_missing: bool) -> str:
    width = max(len(outcome.name) for outcome in outcomes) + 2
    heads = ["set".ljust(10), "call".ljust(width), *(kind.rjust(15) for kind in KINDS), "false", "chars", "  sec"]
    lines = [f"call summary, model: {model}", "", "  ".join(heads)]
    for outcome in outcomes:
        lines.append(_row(outcome, width))
        if tells_missing and outcome.found is not None:
            lines += [f"    not covered: {point}" for point in outcome.found.missing]
            lines += [f"    must not be there: {word}" for word in outcome.found.false]
    lines += ["", *(_summary(group, [each for each in outcomes if each.group == group]) for group in SETS)]
    return "\n".join([*lines, "", _OFFLINE_NOTE] if model == OFFLINE else lines)


def _row(outcome: Outcome, width: int) -> str:
    start = f"{outcome.group:<10}  {outcome.name:<{width}}"
    if outcome.failed or outcome.found is None:
        return f"{start}  failed: {outcome.failed}"
    found = outcome.found
    shares = "  ".join(f"{found.covered[kind]}/{found.asked[kind]}".rjust(15) for kind in KINDS)
    return f"{start}  {shares}  {len(found.false):>5}  {outcome.characters:>5}  {outcome.seconds:>5.1f}"


def _summary(group: Set, outcomes: Sequence[Outcome]) -> str:
    found = [outcome.found for outcome in outcomes if outcome.found is not None]
    covered = {kind: sum(one.covered[kind] for one in found) for kind in KINDS}
    asked = {kind: sum(one.asked[kind] for one in found) for kind in KINDS}
    kinds = ", ".join(f"{kind} {covered[kind]}/{asked[kind]}" for kind in KINDS)
    share = sum(covered.values()) / max(sum(asked.values()), 1)
    well = sum(one.share >= _WELL for one in found)
    return (
        f"{group}: {len(outcomes)} calls, {share:.0%} of the points ({kinds}); {well} calls with {_WELL:.0%} or more; "
        f"{sum(bool(one.false) for one in found)} with something false; failed {sum(bool(o.failed) for o in outcomes)}"
    )
