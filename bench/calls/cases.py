"""What is asked over HTTP, and the bare SQL that it comes down to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from core.clock import BEIJING, beijing_midnight
from server.calls.statistics_service import first_day

RECORDS = "/api/v1/call-records"
_CREATE = """
INSERT INTO public.call_records (user_id, agent_id, caller_name, caller_phone, caller_app, start_time, metadata)
SELECT %(user)s, a.id, '张三', NULL, '微信', %(start)s, '{}' FROM public.agents AS a
WHERE a.id = %(agent)s AND (a.user_id = %(user)s OR a.user_id IS NULL) RETURNING *
"""
_DETAIL = "SELECT * FROM public.call_records WHERE id = %(call)s AND user_id = %(user)s"
_PAGE = """
SELECT c.id, c.agent_id, a.name, c.caller_name, c.caller_app, c.start_time, c.duration_seconds, c.summary
FROM public.call_records AS c JOIN public.agents AS a ON a.id = c.agent_id JOIN (
  SELECT c.id FROM public.call_records AS c WHERE c.user_id = %(user)s{}
  ORDER BY c.start_time DESC, c.id DESC LIMIT 20 OFFSET %(offset)s) AS page ON page.id = c.id
WHERE c.user_id = %(user)s ORDER BY c.start_time DESC, c.id DESC
"""
_COUNT = "SELECT count(*) FROM public.call_records AS c WHERE c.user_id = %(user)s{}"
_STATISTICS = """
SELECT day, reason, app, count(*), coalesce(sum(duration), 0) FROM (
  SELECT date_bin(interval '1 day', start_time, %(since)s) AS day, hangup_reason AS reason,
         coalesce(nullif(caller_app, ''), '未知') AS app, duration_seconds AS duration
  FROM public.call_records
  WHERE user_id = %(user)s AND start_time >= %(since)s AND start_time < %(until)s AND hangup_reason IS NOT NULL)
GROUP BY GROUPING SETS (day, reason, app)
"""
_FILTERS = {
    "": "",
    "agent": " AND c.agent_id = %(agent)s",
    "dates": " AND c.start_time >= %(since)s AND c.start_time < %(until)s",
}
_FILTERS["agent and dates"] = _FILTERS["agent"] + _FILTERS["dates"]


@dataclass(frozen=True)
class Case:
    """A request, the statements that answer it, and the seed's limit in milliseconds."""

    name: str
    path: str
    statements: tuple[str, ...]
    values: Mapping[str, Any]
    limit: float
    body: Mapping[str, Any] | None = None
    rows: int | None = field(default=None)
    """How many records the answer has to hold, so that no empty page is measured."""


def cases(user: UUID, agent: UUID, call: UUID) -> Iterator[Case]:
    """Yield all of them, for one user."""
    now = datetime.now(UTC)
    today = now.astimezone(BEIJING).date()
    month_ago = today - timedelta(days=59)
    base = {"user": user, "agent": agent, "call": call, "start": now}
    body = {"agent_id": str(agent), "caller_name": "张三", "caller_app": "微信", "start_time": now.isoformat()}
    yield Case("create", RECORDS, (_CREATE,), base, 50, body)
    yield Case("detail", f"{RECORDS}/{call}", (_DETAIL,), base, 100)
    window = {"since": beijing_midnight(month_ago), "until": beijing_midnight(today + timedelta(days=1))}
    for name, condition in _FILTERS.items():
        query: dict[str, Any] = {"page_size": 20}
        if "agent" in name:
            query["agent_id"] = agent
        if "dates" in name:
            query |= {"start_date": month_ago, "end_date": today}
        for page in (1, 100):
            yield Case(
                f"list {name or 'all'}, page {page}",
                f"{RECORDS}?{urlencode(query | {'page': page})}",
                (_PAGE.format(condition), _COUNT.format(condition)),
                base | window | {"offset": (page - 1) * 20},
                200,
                rows=20,
            )
    for period in ("today", "week", "month", "year"):
        since = beijing_midnight(first_day(period, today))
        values = base | {"since": since, "until": window["until"]}
        yield Case(f"statistics {period}", f"{RECORDS}/statistics?period={period}", (_STATISTICS,), values, 500)
