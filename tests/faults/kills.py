"""Faults that end a process: kill -9 of a worker, of a server, of PostgreSQL, and a stop in good order."""

import asyncio
import time
from random import Random
from typing import Final

from tests.faults.fleet import Fleet, until
from tests.faults.flight import Flight, launch
from tests.faults.report import Report
from tests.kit.processes import Program

# So many runs are in flight at each kill.
_TOGETHER: Final = 5
# Within the first half of a run: the other half has to be done elsewhere.
_MOMENTS: Final = (0.0, 0.8)
_RECOVERY_SECONDS: Final = 60.0


def _parts(runs: int) -> list[int]:
    return [min(_TOGETHER, runs - done) for done in range(0, runs, _TOGETHER)]


async def kill_worker(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """A worker is killed; the others go on with its runs."""
    report = Report("kill -9 worker")
    for count in _parts(runs):
        flights = await launch(fleet, front, [front], count=count)
        await _all_begun(flights)
        await asyncio.sleep(random.uniform(*_MOMENTS))
        victim = fleet.holder(random.choice(flights).label)
        killed = time.time()
        victim.kill()
        report.caused += 1
        await _recover(fleet, front, flights, victim, killed, report)
        await fleet.replace_dead_workers()
    return report


async def kill_server(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """A server that executes runs too is killed; its clients go to another, and workers go on with its runs."""
    report = Report("kill -9 server")
    for count in _parts(runs):
        victim = await fleet.server()
        flights = await launch(fleet, victim, [victim, front], count=count)
        await _all_begun(flights)
        await asyncio.sleep(random.uniform(*_MOMENTS))
        killed = time.time()
        victim.kill()
        report.caused += 1
        await _recover(fleet, front, flights, victim, killed, report)
    return report


async def stop_worker(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """A worker is told to end (SIGTERM): its runs stop after their present step, which is done once."""
    report = Report("SIGTERM worker")
    for count in _parts(runs):
        flights = await launch(fleet, front, [front], count=count)
        await _all_begun(flights)
        await asyncio.sleep(random.uniform(*_MOMENTS))
        victim = fleet.holder(random.choice(flights).label)
        told = time.time()
        status = await asyncio.to_thread(victim.stop)
        report.caused += 1
        if status:
            report.lost.append(f"the worker ended with status {status}")
        await _recover(fleet, front, flights, victim, told, report)
        for flight in flights:
            begun = [mark.item for mark in fleet.marks(flight.label) if mark.kind == "begin"]
            report.repeated += [f"{item} began twice" for item in sorted(set(begun)) if begun.count(item) > 1]
        await fleet.replace_dead_workers()
    return report


async def kill_postgres(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """The database is killed under all processes at once, and started again by one of them."""
    report = Report("kill -9 PostgreSQL")
    for count in _parts(runs):
        flights = await launch(fleet, front, [front], count=count)
        await _all_begun(flights)
        await asyncio.sleep(random.uniform(*_MOMENTS))
        killed = time.time()
        await asyncio.to_thread(fleet.kill_postgres)
        report.caused += 1
        await _answers(fleet, front)
        async with fleet.client(front) as client:
            for flight in flights:
                await flight.look(client)
                report.recovery.append(await _next_commit(fleet, front, flight) - killed)
            await asyncio.gather(*(flight.judge(client, report) for flight in flights))
    return report


async def _all_begun(flights: list[Flight]) -> None:
    for flight in flights:
        await until(lambda flight=flight: flight.begun > 0)  # type: ignore[misc]


async def _recover(
    fleet: Fleet, front: Program, flights: list[Flight], victim: Program, since: float, report: Report
) -> None:
    """See which steps are committed, when the next ones begin elsewhere, and what came of it all."""
    async with fleet.client(front) as client:
        for flight in flights:
            await flight.look(client)
        for flight in flights:
            before = [mark for mark in fleet.marks(flight.label) if mark.at <= since]
            is_met = before[-1].pid == victim.process.pid
            if is_met and (seconds := await _elsewhere(flight, victim, since)) is not None:
                report.recovery.append(seconds)
        await asyncio.gather(*(flight.judge(client, report) for flight in flights))


async def _elsewhere(flight: Flight, victim: Program, since: float) -> float | None:
    """Return how long it took until another process did a run's next step; None where there was none to do."""

    def taken_up() -> list[float]:
        marks = flight.fleet.marks(flight.label)
        return [
            mark.at for mark in marks if mark.kind == "begin" and mark.pid != victim.process.pid and mark.at > since
        ]

    def settled() -> bool:
        return bool(taken_up()) or (flight.following is not None and flight.following.done())

    await until(settled, _RECOVERY_SECONDS)
    return taken_up()[0] - since if taken_up() else None


async def _answers(fleet: Fleet, server: Program) -> None:
    """Wait until a server reads from its database again."""
    deadline = time.monotonic() + _RECOVERY_SECONDS
    async with fleet.client(server) as client:
        while True:
            try:
                await client.threads.search(limit=1)
            except Exception as error:  # the database is on its way
                if time.monotonic() > deadline:
                    raise TimeoutError("the server does not find its database") from error
                await asyncio.sleep(0.02)
            else:
                return


async def _next_commit(fleet: Fleet, server: Program, flight: Flight) -> float:
    """Return when a run has committed a step that it had not before, or was at its end."""
    _when, known = flight.committed[-1]
    deadline = time.monotonic() + _RECOVERY_SECONDS
    async with fleet.client(server) as client:
        while time.monotonic() < deadline:
            state = await client.threads.get_state(flight.thread)
            done: list[str] = state["values"].get("done", [])  # type: ignore[union-attr]
            if set(done) - known or len(done) == flight.steps:
                return time.time()
            await asyncio.sleep(0.02)
    return time.time()
