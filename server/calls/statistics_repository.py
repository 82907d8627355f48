"""SQL of the statistics of calls: one statement, one pass over the period's ended calls, from an index alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow

from core.clock import BEIJING
from db.models.calls import HangupReason
from server.auth.acting import Asked
from server.calls.record_statements import CallFilter

UNKNOWN_APP: Final = "未知"
# Beijing's days have 24 hours: a time zone's rules for each call would cost more than all the rest.
_GROUPED: Final = (
    """
SELECT day, reason, app, count(*) AS calls, coalesce(sum(duration), 0) AS seconds FROM (
  SELECT date_bin(interval '1 day', c.start_time, %(since)s) AS day, c.hangup_reason AS reason,
         coalesce(nullif(c.caller_app, ''), %(unknown)s) AS app, c.duration_seconds AS duration
  FROM public.call_records AS c WHERE """,
    """ AND c.hangup_reason IS NOT NULL) AS ended
GROUP BY GROUPING SETS (day, reason, app)
""",
)


@dataclass(frozen=True)
class Grouped:
    """Calls and their seconds by day in Beijing, by reason, and by app."""

    days: dict[date, tuple[int, int]]
    reasons: dict[HangupReason, int]
    apps: dict[str, int]

    @classmethod
    def of(cls, rows: Iterable[DictRow]) -> "Grouped":
        """Sort the statement's rows: of the three columns that group, two are null in each."""
        days, reasons, apps = {}, {}, {}
        for row in rows:
            if row["day"] is not None:
                days[row["day"].astimezone(BEIJING).date()] = (row["calls"], int(row["seconds"]))
            elif row["reason"] is not None:
                reasons[HangupReason(row["reason"])] = row["calls"]
            else:
                apps[row["app"]] = row["calls"]
        return cls(days, reasons, apps)


def grouped(user_id: UUID, chosen: CallFilter) -> Asked:
    """Count the ended calls of some days of Beijing, from the midnight `since`; groups without a call are no rows."""
    values = chosen.values(user_id) | {"unknown": UNKNOWN_APP}
    return chosen.condition().join(_GROUPED), values
