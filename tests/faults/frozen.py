"""Faults of a process that does not know that it was given up: frozen, taken over, awake again."""

import asyncio
import time
from random import Random
from typing import Final, Literal

from tests.faults.fleet import Fleet, Mark, freeze, until, wake
from tests.faults.flight import Flight, launch
from tests.faults.report import Report
from tests.kit.processes import Program

_TOGETHER: Final = 5
# Of ten steps, about five are left to the one that takes over.
_AHEAD: Final = 3
_TAKEN_OVER_SECONDS: Final = 30.0


async def wakes_in_run(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """A worker is frozen; it wakes while another one does the rest of its runs."""
    return await _freeze(fleet, front, random, runs, "run")


async def wakes_in_next_run(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """A worker is frozen; it wakes when its runs are over, and others under way on the same threads."""
    return await _freeze(fleet, front, random, runs, "next")


async def _freeze(fleet: Fleet, front: Program, random: Random, runs: int, wakes: Literal["run", "next"]) -> Report:
    report = Report("frozen worker wakes in its run" if wakes == "run" else "frozen worker wakes in the next run")
    for done in range(0, runs, _TOGETHER):
        flights = await launch(fleet, front, [front], count=min(_TOGETHER, runs - done))
        for flight in flights:
            await until(lambda flight=flight: flight.begun > 0)  # type: ignore[misc]
        await asyncio.sleep(random.uniform(0.0, 0.6))
        victim = fleet.holder(random.choice(flights).label)
        frozen = time.time()
        freeze(victim)
        report.caused += 1
        met = [flight for flight in flights if fleet.marks(flight.label)[-1].pid == victim.process.pid]
        async with fleet.client(front) as client:
            taken = [flight for flight in met if await _is_taken_over(flight, victim, frozen, report)]
            if wakes == "next":
                for flight in flights:
                    await client.runs.join(flight.thread, flight.run)
                flights += await _go_on(front, taken)
                report.runs -= len(taken)
            for flight in flights:
                await flight.look(client)
            for flight in flights:
                flight.woken = (victim.process.pid, time.time())
            wake(victim)
            await asyncio.gather(*(flight.judge(client, report) for flight in flights))
        await _works_on(fleet, victim, report)
    return report


async def _is_taken_over(flight: Flight, victim: Program, since: float, report: Report) -> bool:
    """Wait until another process is some steps ahead with a run; False where there was nothing left to do of it."""

    def others() -> list[Mark]:
        return [mark for mark in flight.fleet.marks(flight.label) if mark.pid != victim.process.pid and mark.at > since]

    def has_ended() -> bool:
        return flight.following is not None and flight.following.done()

    await until(lambda: bool(others()) or has_ended(), _TAKEN_OVER_SECONDS)
    if not others():
        return False
    report.recovery.append(others()[0].at - since)
    # Ahead of the frozen one (or at the end): what it would do next is done.
    await until(lambda: sum(mark.kind == "end" for mark in others()) >= _AHEAD or has_ended())
    return True


async def _go_on(front: Program, ended: list[Flight]) -> list[Flight]:
    """Start the next run on each thread, and wait until it is under way."""
    following = [Flight(run.fleet, run.thread, f"next-{run.label}", run.steps, run.seconds) for run in ended]
    for flight in following:
        await flight.start(front, [front])
    for flight in following:
        await until(lambda flight=flight: flight.begun > 0)  # type: ignore[misc]
    return following


async def _works_on(fleet: Fleet, victim: Program, report: Report) -> None:
    """The process that was frozen is none the worse for it: what it did meanwhile is stopped, and it lives."""
    await asyncio.sleep(0)
    if victim.process.poll() is not None:
        report.lost.append(f"the worker that woke has ended with status {victim.process.returncode}")
        await fleet.replace_dead_workers()
