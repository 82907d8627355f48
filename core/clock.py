"""The one source of the current time, so that time rules can be tested at their boundaries (X038)."""

from datetime import UTC, date, datetime, time
from typing import Protocol
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """Return the current instant as an aware UTC datetime."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant as an aware UTC datetime."""
        return datetime.now(UTC)


def render_seconds(moment: datetime) -> str:
    """Render an instant as `2025-11-08T10:00:00Z`, the form of families 000 and 002 (K06)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def beijing_midnight(day: date) -> datetime:
    """Return the instant at which a day begins in Beijing."""
    return datetime.combine(day, time.min, tzinfo=BEIJING)


def render_milliseconds(moment: datetime) -> str:
    """Render an instant as `2025-09-01T10:00:00.000Z`, the form of family 004 (K06)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
