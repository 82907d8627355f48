"""Labelled sets, the one that prompts may be tuned by and the one held out, sent through a workflow some at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from core.settings import Settings, SettingsError
from providers.models import Models
from server.runs import workflows
from server.runs.workflows import Graph

Set = Literal["tuned", "held_out"]
# Prompts are changed with the first in view, never with the second.
SETS: Final[tuple[Set, ...]] = ("tuned", "held_out")

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
O = TypeVar("O")  # noqa: E741 - an outcome


def read_sets(folder: Path, form: type[M], one: str, many: str) -> dict[Set, dict[str, M]]:
    """Read the JSON files of both sets, by name. Blocking.

    Args:
        folder: holds a folder for each set.
        form: what each file is.
        one: what one of them is called, in an error.
        many: what several are called.

    Raises:
        SettingsError: there are none, or a file is of another form.
    """
    found = {name: _read(folder / name, form, one) for name in SETS}
    if not any(found.values()):
        raise SettingsError(f"{folder}: there are no {many} in {' and '.join(SETS)}.")
    return found


def _read(folder: Path, form: type[M], one: str) -> dict[str, M]:
    items = {}
    for file in sorted(folder.glob("*.json")):
        try:
            items[file.stem] = form.model_validate_json(file.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError):
            raise SettingsError(f"{file} is no {one}.") from None
    return items


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
