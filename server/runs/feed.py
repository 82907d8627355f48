"""A run's events in the memory of the process that executes it: tokens reach readers there before they are stored."""

from collections import deque
from typing import Final

from server.runs.model import Event, EventId

# About a long answer, token by token; who is further behind reads the log.
KEPT_EVENTS: Final = 4096


class Feed:
    """The newest events of one attempt, in order.

    An event may be seen here before it is committed. That does no harm: if it gets lost with its process, the next
    attempt begins with `metadata`, which tells readers to drop what the last one said. What must not be seen early is
    held back by the writer.
    """

    def __init__(self, fence: int, *, is_first_attempt: bool, kept: int = KEPT_EVENTS) -> None:
        self._fence = fence
        self._is_first_attempt = is_first_attempt
        self._events: deque[Event] = deque(maxlen=kept)
        self.has_ended = False
        """Whether the run's end is committed, and all of its events were published here."""

    def open(self, fence: int) -> None:
        """Say which attempt it is, where that was not known before; for before the first event."""
        self._fence = fence

    def publish(self, event: Event) -> None:
        """Show an event to the readers of this process."""
        self._events.append(event)

    def end(self) -> None:
        """Say that nothing comes any more: readers need not look into the log."""
        self.has_ended = True

    def after(self, last: EventId) -> list[Event] | None:
        """Return the events after `last`; None when the log has to be read, because some may be missing here."""
        if last.fence != self._fence:
            # Of an earlier attempt, or of none: then what went before is in the log, unless nothing can have.
            return self._from(1) if self._is_first_attempt and last.fence < self._fence else None
        return self._from(last.seq + 1)

    def _from(self, seq: int) -> list[Event] | None:
        if not self._events:
            return []
        skipped = seq - self._events[0].id.seq
        # By index from where it is: who keeps up takes the last one, and the rest is not copied each time.
        return None if skipped < 0 else [self._events[place] for place in range(skipped, len(self._events))]
