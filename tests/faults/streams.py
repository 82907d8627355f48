"""A client that takes up a stream wherever it was cut off, and what such a client must have seen."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.kit.processes import Program
from tests.projects.faults.tokens import TOKENS

_ID_PARTS: Final = 2


@dataclass(frozen=True)
class Seen:
    """One event as it came over the wire."""

    id: str
    event: str
    data: Any

    @property
    def place(self) -> tuple[int, ...]:
        """The two numbers of the id: events are in the order of these."""
        return tuple(int(part) for part in self.id.split("-", _ID_PARTS - 1))


@dataclass
class Follower:
    """Reads a run's stream to its end, from one server after the other; `key` is the API key."""

    thread: str
    run: str
    key: str
    seen: list[Seen] = field(default_factory=list)
    cuts: int = 0

    async def follow(self, servers: Sequence[Program]) -> list[Seen]:
        """Read until the stream ends in good order; where it is cut, go on at the next server."""
        at = 0
        while True:
            try:
                await self._read(servers[at])
            except httpx.TransportError:
                self.cuts += 1
                at = (at + 1) % len(servers)
            else:
                return self.seen

    async def _read(self, server: Program) -> None:
        headers = {"x-api-key": self.key, "last-event-id": self.seen[-1].id if self.seen else "-1"}
        url = f"{server.address}/threads/{self.thread}/runs/{self.run}/stream"
        timeout = httpx.Timeout(60, connect=5)
        async with httpx.AsyncClient(timeout=timeout) as client, client.stream("GET", url, headers=headers) as response:
            assert response.status_code == httpx.codes.OK, (await response.aread()).decode()
            frame: dict[str, str] = {}
            async for line in response.aiter_lines():
                name, colon, value = line.partition(": ")
                if name and colon:
                    frame[name] = value
                elif not line and frame:
                    self.seen.append(Seen(frame["id"], frame["event"], json.loads(frame["data"])))
                    frame = {}


async def log_of(client: LangGraphClient, thread: str, run: str) -> list[Seen]:
    """Return all of a finished run's stream as it is kept, read with the vendor's client."""
    parts = client.runs.join_stream(thread, run, last_event_id="-1")
    return [Seen(str(part.id), part.event, part.data) async for part in parts]


def wrong_with(seen: Sequence[Seen], log: Sequence[Seen], steps: int) -> list[str]:
    """Return what a client may not see that was there from a run's beginning: gaps, and repeats that nobody announced.

    A new attempt begins with the first token of a step, or with the result of one whose tokens were all shown:
    LangGraph saves what a task gave before it saves the checkpoint that follows. A crash between the two leaves a step
    that is done and does not run again; the next attempt tells its result alone.

    Args:
        seen: what it saw of a run of the graph `work`, with the modes `updates` and `custom`.
        log: what is kept of the run.
        steps: how many steps the run did.
    """
    found = [f"{a.id} came before {b.id}" for a, b in pairwise(seen) if a.place >= b.place]
    missed = {event.id for event in log} - {event.id for event in seen}
    found += [f"{sorted(missed)} were never shown"] if missed else []
    attempt, shown = 0, 0
    whole: set[int] = set()
    expected: tuple[int, int] | None = None
    for event in seen:
        if event.event == "metadata":
            if event.data["attempt"] <= attempt:
                found.append(f"{event.id} announces attempt {event.data['attempt']} after {attempt}")
            attempt, expected = event.data["attempt"], None
            continue
        place = _place(event)
        if place is None:
            found.append(f"{event.id} is {event.event}: {event.data}")
            continue
        step, token = place
        begins_anew = expected is None and step <= shown and (token == 0 or (token == TOKENS and step in whole))
        if not begins_anew and place != expected:
            found.append(f"{event.id} shows {place}, expected was {expected or f'(at most {shown}, 0)'}")
        if token == TOKENS - 1:
            whole.add(step)
        expected = (step + 1, 0) if token == TOKENS else (step, token + 1)
        shown = max(shown, step + (token == TOKENS))
    return found if shown == steps else [*found, f"{shown} of {steps} steps were shown"]


def _place(event: Seen) -> tuple[int, int] | None:
    """Return a step and its token; the step's result counts as the token after the last."""
    if event.event == "custom":
        return event.data["step"], event.data["token"]
    if event.event == "updates" and "step" in event.data:
        return int(event.data["step"]["done"][0].rpartition(":")[2]), TOKENS
    return None
