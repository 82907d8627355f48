"""A server without a worker and two workers, for all faults one after another."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults.fleet import Fleet, fleet
from tests.kit.processes import QUICK_BEATS, Program


@pytest.fixture(scope="package")
def running() -> Iterator[tuple[Fleet, Program]]:
    async def start(fleet: Fleet) -> Program:
        front = await fleet.server("--no-worker")
        await asyncio.gather(fleet.worker(), fleet.worker())
        return front

    with fleet(QUICK_BEATS) as started:
        yield started, asyncio.run(start(started))
