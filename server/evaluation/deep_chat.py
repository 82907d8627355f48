"""`colloquy eval deep-chat`: the briefs go through the workflow with the configured models, and a table says how."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from core.errors import ColloquyError
from core.settings import OFFLINE, Settings
from nodes.common.resources import Resources, bind
from nodes.meta_workflow.facts import length_of
from nodes.meta_workflow.prompting import VERSIONS
from nodes.meta_workflow.records import ChatRecords, Documents, InMemoryChatRecords, InMemoryDocuments
from providers.models import Models
from server.evaluation.briefs import Brief, load
from server.evaluation.checks import CHECKS, Answer, score_of
from server.evaluation.sets import SETS, Sample, Set, outcomes_of
from server.runs.workflows import Graph, with_saver

_WORKFLOW: Final = "meta_workflow"
_ROLES: Final = ("intent", "planning", "analysis", "content_generation", "evaluation", "narrative")
_SESSION: Final = "evaluation"
_ROUNDS: Final = 2
_OFFLINE_NOTE: Final = (
    "These are figures of the offline model: rules fill a template. They show that the workflow holds together\n"
    "and keeps to documents, tags and limits; they say nothing about how well a language model would write."
)


@dataclass(frozen=True)
class Outcome:
    """What became of one brief; `failed` is the code of the error, where there is no answer."""

    group: Set
    name: str
    seconds: float
    revisions: int = 0
    characters: int = 0
    score: float | None = None
    passed: tuple[str, ...] = ()
    failed: str = ""


async def evaluate(settings: Settings, folder: Path, at_once: int) -> None:
    """Run every brief and print the table; what fails is a row of it, not the end."""
    briefs = await asyncio.to_thread(load, folder)
    outcomes, models = await outcomes_of(settings, _WORKFLOW, briefs, at_once, _outcome)
    typer.echo(_report(outcomes, sorted({models.name(role) for role in _ROLES})))


async def _outcome(sample: Sample[Brief]) -> Outcome:
    try:
        answer, revisions = await _answered(sample.graph, sample.models, sample.item)
    except ColloquyError as error:
        return Outcome(sample.group, sample.name, sample.seconds, failed=error.code)
    return Outcome(
        sample.group,
        sample.name,
        sample.seconds,
        revisions,
        length_of(answer["content_sections"]["output"]),
        score_of(answer),
        tuple(check for check, holds in CHECKS.items() if holds(sample.item, answer)),
    )


async def _answered(graph: Graph, models: Models, brief: Brief) -> tuple[Answer, int]:
    """Run a brief; a draft that asks is revised, as often as it may be."""
    given: Any = {"session_id": _SESSION, **brief.model_dump(include={"message", "tags", "memory", "turns"})}
    documents = InMemoryDocuments({_SESSION: [(each.filename, each.text) for each in brief.documents]})
    bound: dict[type, object] = {Documents: documents, ChatRecords: InMemoryChatRecords()}
    config: RunnableConfig = {"configurable": {"thread_id": _SESSION}}
    saved = with_saver(graph, InMemorySaver())
    with bind(Resources(models=models, repositories=bound)):
        answer = await saved.ainvoke(given, config)
        revisions = 0
        while answer["status"] == "awaiting_decision" and revisions < _ROUNDS:
            revisions += 1
            answer = await saved.ainvoke(Command(resume="revise"), config)
    return answer, revisions


def _report(outcomes: Sequence[Outcome], models: Sequence[str]) -> str:
    width = max(len(outcome.name) for outcome in outcomes) + 2
    heads = ["set".ljust(10), "brief".ljust(width), "score", "chars", "rev", "  sec", *CHECKS]
    lines = [
        f"deep chat, models: {', '.join(models)}",
        f"prompts: {', '.join(f'{name} {version}' for name, version in VERSIONS.items())}",
        "",
        "  ".join(heads),
        *(_row(outcome, width) for outcome in outcomes),
        "",
        *(_summary(group, [each for each in outcomes if each.group == group]) for group in SETS),
    ]
    return "\n".join([*lines, "", _OFFLINE_NOTE] if OFFLINE in models else lines)


def _row(outcome: Outcome, width: int) -> str:
    start = f"{outcome.group:<10}  {outcome.name:<{width}}"
    if outcome.failed:
        return f"{start}  failed: {outcome.failed}"
    score = "-" if outcome.score is None else f"{outcome.score:g}"
    figures = f"{score:>5}  {outcome.characters:>5}  {outcome.revisions:>3}  {outcome.seconds:>5.1f}"
    marks = "  ".join(("ok" if check in outcome.passed else "NO").ljust(len(check)) for check in CHECKS)
    return f"{start}  {figures}  {marks}"


def _summary(group: Set, outcomes: Sequence[Outcome]) -> str:
    held = ", ".join(f"{check} {sum(check in each.passed for each in outcomes)}" for check in CHECKS)
    every = sum(len(each.passed) == len(CHECKS) for each in outcomes)
    return (
        f"{group}: {len(outcomes)} briefs, all checks {every}; {held}; failed {sum(bool(e.failed) for e in outcomes)}"
    )
