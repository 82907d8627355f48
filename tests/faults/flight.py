"""Runs in flight: started, followed, and looked at when all is over."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final
from uuid import uuid4

from langgraph_sdk.client import LangGraphClient

from tests.faults.fleet import Fleet, Mark
from tests.faults.report import Report
from tests.faults.streams import Follower, Seen, log_of, wrong_with
from tests.kit.processes import Program

# Restarts take up to 10 s, a run may meet three of them, and the machine may be slow.
END_SECONDS: Final = 60.0


@dataclass
class Flight:
    """One run of the graph `work`, and what was known of it while it ran."""

    fleet: Fleet
    thread: str
    label: str
    steps: int
    seconds: float
    run: str = ""
    following: asyncio.Task[list[Seen]] | None = None
    committed: list[tuple[float, set[str]]] = field(default_factory=list)
    woken: tuple[int, float] | None = None
    """Which process was frozen (its pid), and when it woke."""

    async def start(self, at: Program, readers: Sequence[Program], **options: Any) -> None:
        """Start it at a server, and follow its stream at others."""
        async with self.fleet.client(at) as client:
            asked: dict[str, Any] = {"label": self.label, "steps": self.steps, "seconds": self.seconds}
            modes: Any = ["updates", "custom"]
            started = await client.runs.create(self.thread, "work", input=asked, stream_mode=modes, **options)
        self.run = started["run_id"]
        follower = Follower(self.thread, self.run, self.fleet.key)
        self.following = asyncio.create_task(follower.follow(readers), name=f"follow {self.label}")

    async def look(self, client: LangGraphClient) -> None:
        """Note which steps are committed: none of them may begin from now on."""
        done = (await client.threads.get_state(self.thread))["values"].get("done", [])  # type: ignore[union-attr]
        self.committed.append((time.time(), {item for item in done if item.startswith(self.label + ":")}))

    @property
    def begun(self) -> int:
        """How many times a step of it began."""
        return sum(mark.kind == "begin" for mark in self.fleet.marks(self.label))

    async def judge(self, client: LangGraphClient, report: Report) -> None:
        """Wait for its end, and report what was lost, what was done twice, and what its reader missed."""
        report.runs += 1
        try:
            async with asyncio.timeout(END_SECONDS):
                await client.runs.join(self.thread, self.run)
        except TimeoutError:
            report.lost.append(f"{self.label}: not ended after {END_SECONDS:g} s")
            self._forget()
            return
        status = (await client.runs.get(self.thread, self.run))["status"]
        if status != "success":
            report.lost.append(f"{self.label}: ended as {status}")
            self._forget()
            return
        report.lost += await self._not_in_state(client)
        report.repeated += [*await self._forked(client), *self._begun_again()]
        report.gaps += [f"{self.label}: {wrong}" for wrong in await self._not_shown(client)]

    def _forget(self) -> None:
        if self.following is not None:
            self.following.cancel()

    async def _not_in_state(self, client: LangGraphClient) -> list[str]:
        done = (await client.threads.get_state(self.thread))["values"]["done"]  # type: ignore[call-overload]
        mine = [item for item in done if item.startswith(self.label + ":")]
        return (
            [] if mine == [f"{self.label}:{n}" for n in range(self.steps)] else [f"{self.label}: its state is {mine}"]
        )

    async def _forked(self, client: LangGraphClient) -> list[str]:
        """Each checkpoint goes on from the one before it, and adds a step at most."""
        history = await client.threads.get_history(self.thread, limit=1000)
        found = []
        for newer, older in pairwise(history):
            parent: Any = newer["parent_checkpoint"] or {}
            if parent.get("checkpoint_id") != older["checkpoint"]["checkpoint_id"]:
                found.append(f"{self.label}: checkpoint {newer['checkpoint']['checkpoint_id']} forks")
            before: Any = older["values"]
            after: Any = newer["values"]
            kept = before.get("done", [])
            if after.get("done", [])[: len(kept)] != kept or len(after.get("done", [])) > len(kept) + 1:
                found.append(f"{self.label}: {before} became {after}")
        return found

    def _begun_again(self) -> list[str]:
        marks = self.fleet.marks(self.label)
        begins = [mark for mark in marks if mark.kind == "begin" and not self._was_beginning(mark, marks)]
        return [
            f"{mark.item} was committed {mark.at - when:.2f} s before it began in attempt {mark.attempt}"
            for when, done in self.committed
            for mark in begins
            if mark.at > when and mark.item in done
        ]

    def _was_beginning(self, mark: Mark, marks: Sequence[Mark]) -> bool:
        """Tell whether a process was about to begin a step when it was frozen, and does so as it wakes.

        The engine looks at the fence before a step's first line; nothing can look between that and the line itself. So
        who was frozen between two steps may begin the second one, and only that; who was frozen in one begins none.
        """
        if self.woken is None or mark.pid != self.woken[0]:
            return False
        own = [one for one in marks if (one.pid, one.attempt) == (mark.pid, mark.attempt)]
        place = own.index(mark)
        return place > 0 and own[place - 1].kind == "end" and own[place - 1].at < self.woken[1] <= mark.at

    async def _not_shown(self, client: LangGraphClient) -> list[str]:
        assert self.following is not None
        try:
            async with asyncio.timeout(END_SECONDS):
                seen = await self.following
        except TimeoutError:
            return ["its stream did not end"]
        return wrong_with(seen, await log_of(client, self.thread, self.run), self.steps)


async def launch(
    fleet: Fleet,
    at: Program,
    readers: Sequence[Program],
    *,
    count: int,
    steps: int = 10,
    seconds: float = 0.15,
    **options: Any,
) -> list[Flight]:
    """Start runs, each on a thread of its own, a little apart."""
    flights = []
    for _ in range(count):
        async with fleet.client(at) as client:
            thread = (await client.threads.create())["thread_id"]
        flight = Flight(fleet, thread, f"run-{uuid4().hex[:8]}", steps, seconds)
        await flight.start(at, readers, **options)
        flights.append(flight)
    return flights
