"""A circuit breaker: a server that fails again and again is left alone for a while (issue 5)."""

import time
from collections.abc import Callable
from typing import Final

from tools.mcp.model import Breaker

FAILURES_TO_OPEN: Final = 5
COOL_DOWN_SECONDS: Final = 10.0


class CircuitBreaker:
    """Closed: all pass. Open: none passes until the cool-down is over. Half open: one passes, and its outcome decides.

    Only failures to connect and broken connections count: a tool that answers with an error has a healthy server.
    """

    def __init__(
        self,
        *,
        failures_to_open: int = FAILURES_TO_OPEN,
        cool_down_seconds: float = COOL_DOWN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._cool_down = cool_down_seconds
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._trial_since: float | None = None

    @property
    def state(self) -> Breaker:
        """The state as of now."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._clock() - self._opened_at >= self._cool_down else "open"

    def admit(self) -> bool:
        """Tell whether an attempt may be made now; in the half-open state this takes the one that is free."""
        match self.state:
            case "closed":
                return True
            case "open":
                return False
        now = self._clock()
        # A trial whose outcome nobody reported (its caller went away) does not block the next one for ever.
        if self._trial_since is not None and now - self._trial_since < self._cool_down:
            return False
        self._trial_since = now
        return True

    def succeeded(self) -> None:
        """Take note that the server answered."""
        self._failures = 0
        self._opened_at = self._trial_since = None

    def failed(self) -> None:
        """Take note of a failure to connect, or of a connection that broke."""
        self._failures += 1
        self._trial_since = None
        if self._opened_at is not None or self._failures >= self._failures_to_open:
            self._opened_at = self._clock()
