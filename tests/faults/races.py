"""Faults of clients: several ask at once for what only one can have, or go away in the middle of a stream."""

import asyncio
from itertools import groupby
from random import Random
from typing import Any, Final
from uuid import uuid4

import httpx
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.faults.fleet import Fleet
from tests.faults.flight import launch
from tests.faults.report import Report
from tests.faults.streams import Seen, log_of, wrong_with
from tests.kit.processes import Program

_AT_ONCE: Final = 5
_STEPS: Final = 3
_STEP_SECONDS: Final = 0.1
# What is to be refused has to come while the first run is not done yet, on a busy machine too.
_LONG_STEP_SECONDS: Final = 1.0
_END_SECONDS: Final = 60.0
_STRATEGIES: Final = ("reject", "enqueue", "interrupt", "rollback")
_ATTEMPTS: Final = {1, 2, 3}
_DEADLY_AT_ONCE: Final = 20


async def resumes(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """Five answer one interrupt at once, at two servers: one is heard, the others are told that they were not."""
    report = Report("5 resumes of one interrupt")
    other = await fleet.server("--no-worker")
    async with fleet.client(front) as one, fleet.client(other) as two:
        for _ in range(runs):
            await _resume(fleet, [one, two], report)
    other.stop()
    return report


async def _resume(fleet: Fleet, clients: list[LangGraphClient], report: Report) -> None:
    label = f"ask-{uuid4().hex[:8]}"
    thread = (await clients[0].threads.create())["thread_id"]
    stopped: Any = await clients[0].runs.wait(thread, "approve", input={"label": label})
    assert stopped["__interrupt__"], stopped
    command: Any = {"resume": "yes"}
    asked = (clients[number % 2].runs.create(thread, "approve", command=command) for number in range(_AT_ONCE))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    report.caused += 1
    report.runs += 1
    accepted = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, ConflictError)]
    if (len(accepted), len(refused)) != (1, _AT_ONCE - 1):
        report.repeated.append(f"{label}: the resumes were answered {answers}")
    for run in accepted:
        await clients[0].runs.join(thread, run["run_id"])
    state: Any = await clients[1].threads.get_state(thread)
    if state["values"]["done"] != [f"{label}:yes", f"{label}:act"]:
        report.lost.append(f"{label}: its state is {state['values']}")
    if (acted := len(fleet.marks(label))) != 1:
        report.repeated.append(f"{label}: its side effect was done {acted} times")


async def double_texts(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """Five runs are asked for on one thread at once, under each strategy of the protocol."""
    report = Report("5 runs on one thread, each strategy")
    other = await fleet.server("--no-worker")
    async with fleet.client(front) as one, fleet.client(other) as two:
        for number in range(runs):
            strategy = _STRATEGIES[number % len(_STRATEGIES)]
            await _text(fleet, [one, two], strategy, report)
    other.stop()
    return report


async def _text(fleet: Fleet, clients: list[LangGraphClient], strategy: Any, report: Report) -> None:
    thread = (await clients[0].threads.create())["thread_id"]
    labels = [f"{strategy}-{uuid4().hex[:8]}" for _ in range(_AT_ONCE)]
    seconds = _LONG_STEP_SECONDS if strategy == "reject" else _STEP_SECONDS

    async def ask(number: int) -> Any:
        asked: dict[str, Any] = {"label": labels[number], "steps": _STEPS, "seconds": seconds}
        return await clients[number % 2].runs.create(thread, "work", input=asked, multitask_strategy=strategy)

    answers = await asyncio.gather(*map(ask, range(_AT_ONCE)), return_exceptions=True)
    report.caused += 1
    accepted = {label: a for label, a in zip(labels, answers, strict=True) if not isinstance(a, BaseException)}
    refused = sum(isinstance(answer, ConflictError) for answer in answers)
    report.runs += len(accepted)
    # Who is rolled back before the answer is made is told so by a 409.
    at_least, refusable = (1, _AT_ONCE - 1) if strategy in ("reject", "rollback") else (_AT_ONCE, 0)
    is_exact = strategy != "reject" or len(accepted) == 1
    if not (len(accepted) >= at_least and refused <= refusable and len(accepted) + refused == _AT_ONCE and is_exact):
        report.lost.append(f"{strategy}: the requests were answered {answers}")
    ends = [await _end(clients[0], thread, run["run_id"]) for run in accepted.values()]
    state: Any = await clients[1].threads.get_state(thread)
    blocks = _blocks(state["values"].get("done", []))
    report.lost += _wrong_ends(strategy, dict(zip(accepted, ends, strict=True)), blocks)
    if len({label for label, _ in blocks}) != len(blocks) or state["next"]:
        report.repeated.append(f"{strategy}: the runs are mixed: {state['values']}, next {state['next']}")


async def _end(client: LangGraphClient, thread: str, run: str) -> str:
    try:
        async with asyncio.timeout(_END_SECONDS):
            await client.runs.join(thread, run)
        return (await client.runs.get(thread, run))["status"]
    except (NotFoundError, httpx.HTTPStatusError) as error:
        if error.response.status_code != httpx.codes.NOT_FOUND:
            raise
        return "rolled back"
    except TimeoutError:
        return "not ended"


def _blocks(done: list[str]) -> list[tuple[str, list[int]]]:
    pairs = [(label, int(number)) for label, _, number in (item.rpartition(":") for item in done)]
    return [(label, [number for _, number in block]) for label, block in groupby(pairs, key=lambda pair: pair[0])]


def _wrong_ends(strategy: str, ends: dict[str, str], blocks: list[tuple[str, list[int]]]) -> list[str]:
    """Each run's end is one that its strategy allows, and the thread's state holds what that end says."""
    steps = dict(blocks)
    whole = list(range(_STEPS))
    others = {"reject": "", "enqueue": "success", "interrupt": "interrupted", "rollback": "rolled back"}[strategy]
    wrong = []
    for label, end in ends.items():
        left = steps.get(label, [])
        fits = {
            "success": left == whole,
            "interrupted": left == whole[: len(left)],
            "rolled back": not left,
        }.get(end, False)
        if end not in ("success", others) or not fits:
            wrong.append(f"{label}: ended as {end}, left {left}")
    succeeded = sum(end == "success" for end in ends.values())
    if succeeded != (len(ends) if others in ("", "success") else 1):
        wrong.append(f"{strategy}: {succeeded} of {len(ends)} runs succeeded")
    return wrong


async def cuts(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """A client leaves a stream after any event, again and again, and takes it up at the other server."""
    report = Report("stream cut, taken up elsewhere")
    other = await fleet.server()
    async with fleet.client(front) as one, fleet.client(other) as two:
        flights = await launch(fleet, other, [front], count=runs, steps=6, seconds=0.1)
        cut = [_cut(random, [one, two], flight.thread, flight.run, report) for flight in flights]
        for flight, seen in zip(flights, await asyncio.gather(*cut), strict=True):
            log = await log_of(one, flight.thread, flight.run)
            wrong = wrong_with(seen, log, flight.steps)
            wrong += [] if [event.id for event in seen] == [event.id for event in log] else ["it is not what is kept"]
            report.gaps += [f"{flight.label}: {what}" for what in wrong]
            await flight.judge(one, report)
    other.stop()
    return report


async def _cut(random: Random, clients: list[LangGraphClient], thread: str, run: str, report: Report) -> list[Seen]:
    """Read a stream to its end, a few events at each server."""
    seen: list[Seen] = []
    turn = 0
    while True:
        patience = random.randint(1, 5)
        last = seen[-1].id if seen else "-1"
        parts: Any = clients[turn % 2].runs.join_stream(thread, run, last_event_id=last)
        async for part in parts:
            seen.append(Seen(str(part.id), part.event, part.data))
            patience -= 1
            if not patience:
                break
        else:
            return seen
        await parts.aclose()
        report.caused += 1
        turn += 1


async def deadly(fleet: Fleet, front: Program, random: Random, runs: int) -> Report:
    """A run kills its worker each time: after three it is given up, and says so."""
    report = Report("run that kills its worker")
    async with fleet.client(front) as client:
        # Not all at once: each is waited for, and a client has only so many connections.
        for begun in range(0, runs, _DEADLY_AT_ONCE):
            await _some_deadly(fleet, client, report, min(_DEADLY_AT_ONCE, runs - begun))
    return report


async def _some_deadly(fleet: Fleet, client: LangGraphClient, report: Report, runs: int) -> None:
    started = {}
    for _ in range(runs):
        label = f"deadly-{uuid4().hex[:8]}"
        thread = (await client.threads.create())["thread_id"]
        started[label] = await client.runs.create(thread, "deadly", input={"label": label})
    ends = asyncio.gather(*(_given_up(client, run) for run in started.values()))
    while not ends.done():
        await fleet.replace_dead_workers()
        await asyncio.wait({ends}, timeout=0.1)
    await fleet.replace_dead_workers()
    for (label, run), end in zip(started.items(), await ends, strict=True):
        report.runs += 1
        attempts = [mark.attempt for mark in fleet.marks(label)]
        report.caused += len(attempts)
        if end != "WORKER_LOST":
            report.lost.append(f"{label}: {run['run_id']} ended as {end}")
        # A worker may die of one run before another one's node begins: then that attempt has left no mark.
        if sorted(set(attempts) & _ATTEMPTS) != attempts:
            report.repeated.append(f"{label}: was tried in attempts {attempts}")


async def _given_up(client: LangGraphClient, run: Any) -> str:
    """Return the code of the error that a run ends with."""
    try:
        async with asyncio.timeout(2 * _END_SECONDS):
            told: Any = await client.runs.join(run["thread_id"], run["run_id"])
    except TimeoutError:
        return "not ended"
    status = (await client.runs.get(run["thread_id"], run["run_id"]))["status"]
    return str(told["__error__"]["error"]) if status == "error" else status
