"""One case of each fault in which two do what only one may; `make test-faults` has them in numbers."""

from random import Random

import pytest

from tests.faults.fleet import Fleet
from tests.faults.scenarios import SCENARIOS
from tests.kit.processes import Program


@pytest.mark.parametrize("name", ["wakes-in-run", "wakes-in-next-run"])
async def test_a_worker_that_wakes_is_late(running: tuple[Fleet, Program], name: str) -> None:
    report = await SCENARIOS[name](*running, Random(1), 2)
    assert report.broken == []
    assert (report.runs, report.caused) == (2, 1)


@pytest.mark.parametrize(("name", "cases"), [("resumes", 2), ("double-texts", 4), ("cuts", 3)])
async def test_clients_that_do_as_they_like(running: tuple[Fleet, Program], name: str, cases: int) -> None:
    report = await SCENARIOS[name](*running, Random(1), cases)
    assert report.broken == []
    assert report.caused >= cases
