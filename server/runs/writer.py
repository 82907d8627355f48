"""All that one run writes: its checkpoints, its events, its end. Each commit holds the thread's fence."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from checkpoints.rows import Packed, Unsaved
from checkpoints.saver import FenceLost
from db.lanes import Lanes
from providers.usage import Usage
from server.runs import usage
from server.runs.broker import Broker
from server.runs.encode import encode
from server.runs.feed import Feed
from server.runs.model import Claim, Ending, Event, EventId

# What a crash may cost: steps that ended so shortly before it run again. A short run is one commit then.
_DELAY_SECONDS: Final = 0.1
# So many checkpoints are worth a statement of their own, where PostgreSQL would wait otherwise.
_MANY: Final = 4
# Readers in other processes wait for events: a few tokens share a commit.
_EVENTS_DELAY_SECONDS: Final = 0.05
_COMMIT: Final = (
    "SELECT platform.commit_run(%s, %s, %s, %s, %s::json, %s::json, %s::json, %s::json, %s::json, %b::bytea) AS outcome"
)
_FINISH: Final = (
    "SELECT * FROM platform.finish_run(%s, %s, %s, %s, %s::json, %s::json, %s::json, %s::json, %s::json, %b::bytea,"
    " %s::json, %s::json, %s)"
)


class Finished(NamedTuple):
    """What came of a run's end: its thread's next run, and the claim on it where this process has it."""

    following: UUID | None
    claim: Claim | None
    rolled_back: bool = False


class RunWriter:
    """Collects what a run saves and commits it soon, in the order in which it came.

    Args:
        lanes: commit, a thread's statements one after the other.
        broker: tells readers.
        claimed: the run.
        feed: shows events to readers in this process.
        doubt_seconds: for how long after a look at the fence the run still has its thread, for certain.
        on_lost: called once, when another process has claimed a run on the thread since.
    """

    def __init__(
        self,
        lanes: Lanes,
        broker: Broker,
        claimed: Claim,
        feed: Feed,
        *,
        doubt_seconds: float = 0.0,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.unsaved = Unsaved()
        self._lanes = lanes
        self._broker = broker
        self._claimed = claimed
        self.is_open = False
        self._feed = feed
        self._doubt_seconds = doubt_seconds
        self._on_lost = on_lost
        # The events that are not committed yet.
        self._told: list[Event] = []
        self._seq = 0
        self._held_back: list[Event] = []
        self.is_torn = False
        """Whether something was given up that others have seen: then memory tells something else than the database."""
        self._timer: asyncio.TimerHandle | None = None
        self._sent: asyncio.Future[dict[str, Any]] | None = None
        self._failure: Exception | None = None
        # The wall clock's: the other one stands still while a machine sleeps.
        self._held_at = time.time()

    def open(self, claimed: Claim) -> None:
        """Say that the run has its thread, and under which fence; for before the first event, where it began early."""
        self.is_open = True
        self._claimed = claimed
        self._feed.open(claimed.fence)

    def append(self, event: str, data: Any, *, early: bool = True) -> None:
        """Add an event to the run's stream.

        Args:
            event: its name.
            data: what JSON can hold, and what LangGraph emits besides.
            early: whether readers may see it before it is committed; if not, they see it and all later ones when the
                run has ended.
        """
        self._seq += 1
        encoded = encode(data)
        shown = Event(EventId(self._claimed.fence, self._seq), event, encoded)
        self._told.append(shown)
        if self._held_back or not early:
            self._held_back.append(shown)
        else:
            self._feed.publish(shown)
            self._broker.wake(self._claimed.run_id)
        # The first one says no more than that the run has begun.
        self._commit_within(_EVENTS_DELAY_SECONDS if self._seq > 1 else _DELAY_SECONDS)

    def changed(self) -> None:
        """Commit soon what was added."""
        # What is due is so before that.
        if self._timer is None:
            self._commit_within(_DELAY_SECONDS)

    def go_ahead(self) -> None:
        """Let PostgreSQL store what has come together while the graph goes on, where it has nothing else to do.

        For when a step's state is told, which LangGraph does before the next step begins: all is told by then of what
        was saved. A run that goes on from there would leave the rest out.
        """
        is_due = len(self.unsaved.checkpoints) >= _MANY and self._sent is None and self._failure is None
        if is_due and self._lanes.is_calm(self._claimed.thread_id):
            self._commit()

    def _commit_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._commit_in_time)

    async def flush(self) -> None:
        """Return when all that was added so far is committed.

        Raises:
            FenceLost: another process has claimed a run on this thread since.
            psycopg.Error: the database did not take it.
        """
        if (self.unsaved or self._told) and self._failure is None:
            self._commit()
        if self._sent is not None:
            await asyncio.wait({self._sent})
        if self._failure is not None:
            raise self._failure

    async def settle(self) -> None:
        """Commit what was added, and see in any case that the run still has its thread: for before a side effect.

        Raises:
            FenceLost: another process has claimed a run on this thread since.
        """
        if not (self.unsaved or self._told):
            self._commit()
        await self.flush()

    @property
    def is_certain(self) -> bool:
        """Whether the run still has its thread for certain: a look at the fence was so short a time ago."""
        return 0 <= time.time() - self._held_at <= self._doubt_seconds

    async def hold(self) -> None:
        """See that the run still has its thread, where that is not certain: for between two steps.

        A process that was frozen knows nothing of it when it wakes; others may have done its next steps.

        Raises:
            FenceLost: another process has claimed a run on this thread since.
        """
        if not self.is_certain:
            await self.settle()

    async def finish(self, ended: Ending, calls: Sequence[Usage], worker_id: UUID | None) -> Finished:
        """Commit what is left together with how the run ended; claim the thread's next run for a process, if given.

        Raises:
            FenceLost: another process has claimed a run on this thread since.
            psycopg.Error: the database did not take it; nothing of it is committed.
        """
        if self._failure is not None:
            raise self._failure
        packed, how = Packed(), dict(ended.row)
        for name, value in (("output_", ended.output), ("values_", ended.values)):
            if value is not None:
                packed.place(how, value.encode(), name)
        parameters = [*self._parameters(packed), usage.as_json(calls), orjson.dumps(how).decode(), worker_id]
        row = await self._lanes.submit(self._claimed.thread_id, _FINISH, parameters, after=self._sent)
        if row["outcome"] == "lost":
            raise FenceLost
        self._end_feed(row)
        self._broker.tell(self._claimed.run_id)
        taken = row["claim"]
        claim = Claim.of(row["following"], taken) if taken else None
        return Finished(row["following"], claim, rolled_back=row["outcome"] == "rolled_back")

    def _end_feed(self, row: dict[str, Any]) -> None:
        """Show what was held back, and tell readers that this was all; else they find the rest in the log."""
        if self.is_torn or row["following"] == self._claimed.run_id:
            return
        if row["outcome"] == "kept":
            for event in self._held_back:
                self._feed.publish(event)
        self._feed.end()

    def discard(self) -> None:
        """Forget what the database did not take, so that the run's end can be written."""
        self._failure = None
        self.is_torn = True
        self.unsaved = Unsaved()
        self._told.clear()
        self._stop_timer()

    def _commit_in_time(self) -> None:
        self._timer = None
        # One at a time: what is added meanwhile shares the next one.
        if self._sent is None and (self.unsaved or self._told) and self._failure is None:
            self._commit()

    def _commit(self) -> None:
        has_events, now = bool(self._told), time.time()
        sent = self._lanes.submit(self._claimed.thread_id, _COMMIT, self._parameters(Packed()), after=self._sent)
        sent.add_done_callback(lambda done: self._committed(done, now, has_events=has_events))
        self._sent = sent

    def _parameters(self, packed: Packed) -> list[Any]:
        """Return what is to be committed now, and begin anew."""
        self._stop_timer()
        rows = self.unsaved.as_parameters(packed)
        self.unsaved = Unsaved()
        told = [packed.place({"seq": one.id.seq, "event": one.event}, one.json.encode()) for one in self._told]
        self._told = []
        rows.append(orjson.dumps(told).decode() if told else None)
        claimed = self._claimed
        return [claimed.thread_id, claimed.fence, claimed.run_id, claimed.owner_id, *rows, packed.as_bytes()]

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _committed(self, sent: "asyncio.Future[dict[str, Any]]", since: float, *, has_events: bool) -> None:
        if self._sent is sent:
            self._sent = None
        if self._failure is not None:
            sent.exception()
        elif error := sent.exception():
            self._failure = error if isinstance(error, Exception) else RuntimeError("the commit was given up")
        elif sent.result()["outcome"] == "lost":
            self._failure = FenceLost()
            self._on_lost()
        else:
            self._held_at = since
            if has_events:
                self._broker.tell(self._claimed.run_id)
            if self.unsaved or self._told:
                self._commit_within(_EVENTS_DELAY_SECONDS if self._told else _DELAY_SECONDS)
