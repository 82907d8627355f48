"""The busiest statements of call records as text: they go out in one round trip with the look at who calls.

Each names the owner; what is another's does not exist.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from server.auth.acting import Asked
from server.calls.schemas import MAX_MESSAGES

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
# One statement: two at once wait for each other at the row, and the second sees what the first has added.
_APPEND: Final = """
UPDATE public.call_records SET messages = messages || jsonb_build_array(%(message)s)
WHERE id = %(id)s AND user_id = %(user_id)s AND jsonb_array_length(messages) < %(most)s
  AND octet_length(messages::text) + octet_length(%(message)s::text) <= %(most_bytes)s
  AND (%(position)s::int IS NULL OR jsonb_array_length(messages) = %(position)s)
RETURNING jsonb_array_length(messages) AS total
"""
_MESSAGE_AT: Final = """
SELECT jsonb_array_length(messages) AS total, messages -> %(position)s::int AS message
FROM public.call_records WHERE id = %(id)s AND user_id = %(user_id)s
"""
# A transcript's JSON as text: what one request can bring by default.
_MOST_BYTES: Final = 2 * 1024 * 1024
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


def append(user_id: UUID, call_id: UUID, message: dict[str, Any], position: int | None) -> Asked:
    """Add a message at the end, where that is its position and there is room; tells how many there are then."""
    limits = {"most": MAX_MESSAGES, "most_bytes": _MOST_BYTES}
    return _APPEND, limits | {"id": call_id, "user_id": user_id, "message": Jsonb(message), "position": position}


def message_at(user_id: UUID, call_id: UUID, position: int) -> Asked:
    """Read how many messages a call has, and the one at a position."""
    return _MESSAGE_AT, {"id": call_id, "user_id": user_id, "position": position}


def page(user_id: UUID, chosen: CallFilter, *, limit: int, offset: int) -> tuple[Asked, Asked]:
    """Read a page of calls, newest first, with their agents' names; and count all that match."""
    condition, values = chosen.condition(), chosen.values(user_id)
    rows = condition.join(_PAGE), values | {"limit": limit, "offset": offset}
    return rows, (_COUNT + condition, values)
