"""Who logs in, when, and what was sent to them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from server.auth.senders import Channel, CodeNotSent


@dataclass
class SetClock:
    """A clock that stands until it is moved."""

    time: datetime = field(default_factory=lambda: datetime(2026, 1, 30, tzinfo=UTC))

    def now(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


@dataclass
class RecordingSender:
    """Keeps what it was given to send; refuses while it is `broken`."""

    sent: list[tuple[Channel, str, str]] = field(default_factory=list)
    broken: bool = False

    async def send(self, channel: Channel, address: str, code: str) -> None:
        if self.broken:
            raise CodeNotSent
        self.sent.append((channel, address, code))

    async def aclose(self) -> None:
        pass

    @property
    def last_code(self) -> str:
        return self.sent[-1][2]
