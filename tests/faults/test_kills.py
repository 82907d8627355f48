"""One case of each fault that ends a process; `make test-faults` has them in numbers."""

import asyncio
from collections.abc import Iterator
from random import Random

import pytest

from tests.faults.fleet import Fleet, fleet
from tests.faults.scenarios import SCENARIOS
from tests.kit.processes import Program


@pytest.fixture
def empty() -> Iterator[Fleet]:
    with fleet() as started:
        yield started


@pytest.fixture
async def running(empty: Fleet) -> tuple[Fleet, Program]:
    front = await empty.server("--no-worker")
    await asyncio.gather(empty.worker(), empty.worker())
    return empty, front


async def test_nothing_is_lost_and_nothing_done_twice(running: tuple[Fleet, Program]) -> None:
    """One fleet bears all of them: what a fault leaves behind would spoil the next one."""
    for name in ("kill-postgres", "kill-worker", "kill-server", "stop-worker"):
        report = await SCENARIOS[name](*running, Random(1), 3)
        assert (report.runs, report.caused) == (3, 1)
        assert report.broken == [], name
        assert max(report.recovery) < 15, name
