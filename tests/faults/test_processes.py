"""One case of each fault that ends a process; `make test-faults` has them in numbers."""

from random import Random

import pytest

from tests.faults.fleet import Fleet
from tests.faults.scenarios import SCENARIOS
from tests.kit.processes import Program

# What is given back goes on at once: nobody has to find out that a process is dead.
_PATIENCE = {"stop-worker": 3.0}


@pytest.mark.parametrize("name", ["kill-postgres", "kill-worker", "kill-server", "stop-worker"])
async def test_nothing_is_lost_and_nothing_done_twice(running: tuple[Fleet, Program], name: str) -> None:
    report = await SCENARIOS[name](*running, Random(1), 3)
    assert report.broken == []
    assert (report.runs, report.caused) == (3, 1)
    assert report.recovery
    # Within 10 s; the rest is for a machine that runs other tests besides.
    assert max(report.recovery) < _PATIENCE.get(name, 15.0)


async def test_a_run_that_kills_its_worker_is_given_up(running: tuple[Fleet, Program]) -> None:
    report = await SCENARIOS["deadly"](*running, Random(1), 1)
    assert report.broken == []
    assert (report.runs, report.caused) == (1, 3)
