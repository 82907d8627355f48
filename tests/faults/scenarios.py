"""The list of faults."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from tests.faults import frozen, kills, races
from tests.faults.fleet import Fleet
from tests.faults.report import Report
from tests.kit.processes import Program

Scenario = Callable[[Fleet, Program, Random, int], Awaitable[Report]]

SCENARIOS: Final[dict[str, Scenario]] = {
    "kill-worker": kills.kill_worker,
    "kill-server": kills.kill_server,
    "kill-postgres": kills.kill_postgres,
    "stop-worker": kills.stop_worker,
    "wakes-in-run": frozen.wakes_in_run,
    "wakes-in-next-run": frozen.wakes_in_next_run,
    "resumes": races.resumes,
    "double-texts": races.double_texts,
    "cuts": races.cuts,
    "deadly": races.deadly,
}
