"""Labelled sets, the one that prompts may be tuned by and the one held out, sent through a workflow some at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.settings import Settings
from providers.models import Models
from server.evaluation.briefs import SETS, Set
from server.runs import workflows
from server.runs.workflows import Graph

T = TypeVar("T")
O = TypeVar("O")  # noqa: E741 - an outcome


@dataclass(frozen=True)
class Sample(Generic[T]):
    """One labelled item, and what it is sent through; the clock runs since its turn came."""

    group: Set
    name: str
    item: T
    graph: Graph
    models: Models
    started: float

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self.started


async def outcomes_of(
    settings: Settings,
    workflow: str,
    sets: Mapping[Set, Mapping[str, T]],
    at_once: int,
    judge: Callable[[Sample[T]], Awaitable[O]],
) -> tuple[list[O], Models]:
    """Judge each item of both sets, `at_once` side by side, with the configured models.

    Returns:
        The outcomes in the sets' order, and the models (closed), for their names.
    """
    graph = (await asyncio.to_thread(workflows.load, *settings.config))[workflow]
    models = Models(settings)
    turn = asyncio.Semaphore(at_once)

    async def judged(group: Set, name: str, item: T) -> O:
        async with turn:
            return await judge(Sample(group, name, item, graph, models, time.perf_counter()))

    try:
        asked = (judged(group, name, item) for group in SETS for name, item in sets[group].items())
        return list(await asyncio.gather(*asked)), models
    finally:
        await models.aclose()
