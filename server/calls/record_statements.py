"""The busiest statements of call records as text: they go out in one round trip with the look at who calls.

Each names the owner; what is another's does not exist.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from server.auth.acting import Asked

# One statement, because foreign keys do not obey row level security (G23).
_INSERT: Final = """
INSERT INTO public.call_records (user_id, agent_id, caller_name, caller_phone, caller_app, start_time, metadata)
SELECT %(user_id)s, a.id, %(caller_name)s, %(caller_phone)s, %(caller_app)s, %(start_time)s, %(metadata)s
FROM public.agents AS a WHERE a.id = %(agent_id)s AND (a.user_id = %(user_id)s OR a.user_id IS NULL)
RETURNING id, agent_id, caller_name, start_time
"""
_DETAIL: Final = """
SELECT id, agent_id, caller_name, caller_app, start_time, end_time, duration_seconds, hangup_reason, messages, summary,
       metadata AS details
FROM public.call_records WHERE id = %(id)s AND user_id = %(user_id)s
"""
# First the page alone, from an index: what comes before it is then not read, joined or sorted.
_PAGE: Final[tuple[LiteralString, LiteralString]] = (
    """
SELECT c.id, c.agent_id, a.name AS agent_name, c.caller_name, c.caller_app, c.start_time, c.duration_seconds, c.summary
FROM public.call_records AS c JOIN public.agents AS a ON a.id = c.agent_id JOIN (
  SELECT c.id FROM public.call_records AS c WHERE """,
    """ ORDER BY c.start_time DESC, c.id DESC LIMIT %(limit)s OFFSET %(offset)s) AS page ON page.id = c.id
WHERE c.user_id = %(user_id)s ORDER BY c.start_time DESC, c.id DESC
""",
)
_COUNT: Final = "SELECT count(*) AS total FROM public.call_records AS c WHERE "


@dataclass(frozen=True, kw_only=True)
class CallFilter:
    """Which calls are chosen; instants are UTC, `until` is exclusive."""

    agent_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> LiteralString:
        """Return what `c`, a call of the parameter `user_id`, has to meet."""
        condition: LiteralString = "c.user_id = %(user_id)s"
        if self.agent_id is not None:
            condition += " AND c.agent_id = %(agent_id)s"
        if self.since is not None:
            condition += " AND c.start_time >= %(since)s"
        if self.until is not None:
            condition += " AND c.start_time < %(until)s"
        return condition

    def values(self, user_id: UUID) -> dict[str, Any]:
        """Return the condition's parameters."""
        return {"user_id": user_id, "agent_id": self.agent_id, "since": self.since, "until": self.until}


def insert(user_id: UUID, values: dict[str, Any]) -> Asked:
    """Write a call for an agent that the user may use; no row when there is no such agent."""
    return _INSERT, values | {"user_id": user_id, "metadata": Jsonb(values["metadata"])}


def find(user_id: UUID, call_id: UUID) -> Asked:
    """Read what is shown of one call."""
    return _DETAIL, {"id": call_id, "user_id": user_id}


def page(user_id: UUID, chosen: CallFilter, *, limit: int, offset: int) -> tuple[Asked, Asked]:
    """Read a page of calls, newest first, with their agents' names; and count all that match."""
    condition, values = chosen.condition(), chosen.values(user_id)
    rows = condition.join(_PAGE), values | {"limit": limit, "offset": offset}
    return rows, (_COUNT + condition, values)
