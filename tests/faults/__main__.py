"""Cause every fault in numbers, and tell what it cost: `python -m tests.faults --runs 20 --seed 1`."""

import argparse
import asyncio
import random
import sys
import time

from tests.faults.fleet import fleet
from tests.faults.report import table
from tests.faults.scenarios import SCENARIOS


async def cause(names: list[str], runs: int, seed: int) -> int:
    """Cause faults one after the other, print what came of them, and return the exit status."""
    reports = []
    with fleet() as started:
        front = await started.server("--no-worker")
        await asyncio.gather(started.worker(), started.worker())
        for name in names:
            begun = time.monotonic()
            report = await SCENARIOS[name](started, front, random.Random(f"{seed} {name}"), runs)
            reports.append(report)
            told = [f"{name}: {report.runs} runs in {time.monotonic() - begun:.0f} s", *report.broken]
            _tell("\n  ".join(told))
    _tell("\n" + table(reports))
    return int(any(report.broken for report in reports))


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="fault", help=f"which ones: {', '.join(SCENARIOS)}; all if none")
    parser.add_argument("--runs", type=int, default=20, help="runs that each fault meets (20)")
    parser.add_argument("--seed", type=int, default=1, help="what the random moments follow from (1)")
    given = parser.parse_args()
    if unknown := set(given.faults) - set(SCENARIOS):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    _tell(f"{given.runs} runs a fault, seed {given.seed}")
    sys.exit(asyncio.run(cause(given.faults or list(SCENARIOS), given.runs, given.seed)))


main()
