"""Statistics over HTTP: the seed's sample, and every rule of G25 and G26."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.calls.statistics_service import first_day
from tests.kit.app import Service, running_service
from tests.kit.cases import together
from tests.kit.people import SetClock
from tests.server.calls.conftest import call_body, refusal

RECORDS = "/api/v1/call-records"
STATISTICS = f"{RECORDS}/statistics"
# Ten in the morning in Beijing, on the Saturday of the seed.
NOW = datetime(2025, 11, 8, 2, tzinfo=UTC)
NOBODY = {"user": 0, "ai": 0, "timeout": 0, "silence": 0, "error": 0}

# 150 calls of 300 s: 20 on the first of November, the rest on the days after it.
SAMPLE = """
INSERT INTO public.call_records (user_id, agent_id, caller_app, start_time, duration_seconds, hangup_reason)
SELECT a.user_id, a.id,
       CASE WHEN n < 80 THEN '微信' WHEN n < 130 THEN '企业微信' ELSE '钉钉' END,
       timestamptz '2025-11-01T00:00:00+08:00'
         + CASE WHEN mod(n, 15) < 2 THEN interval '0' ELSE (1 + mod(n, 6)) * interval '1 day' END
         + n * interval '1 minute',
       300,
       (CASE WHEN n < 80 THEN 'user' WHEN n < 130 THEN 'ai' WHEN n < 140 THEN 'timeout'
             WHEN n < 145 THEN 'silence' ELSE 'error' END)::public.call_hangup_reason
FROM public.agents AS a, generate_series(0, 149) AS n WHERE a.id = %s
"""


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
async def service(database_url: str, tmp_path: Path, clock: SetClock) -> AsyncIterator[Service]:
    async with running_service(database_url, tmp_path, clock=clock) as service:
        yield service


async def ended(user: httpx.AsyncClient, agent: str, start: str, **changes: Any) -> str:
    """Record a call that is over."""
    created = await user.post(RECORDS, json=call_body(agent, start_time=start))
    call = str(created.json()["data"]["id"])
    body = {"duration_seconds": 60, "hangup_reason": "user"} | changes
    assert (await user.patch(f"{RECORDS}/{call}", json=body)).status_code == 200
    return call


async def figures(user: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    response = await user.get(STATISTICS, params=query)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def test_the_seeds_sample(service: Service, user: httpx.AsyncClient, agent: str) -> None:
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute(SAMPLE, (UUID(agent),))
    body = (await user.get(STATISTICS, params={"period": "month"})).json()
    daily = body["data"].pop("daily_stats")
    assert body == {
        "success": True,
        "data": {
            "total_calls": 150,
            "total_duration_seconds": 45000,
            "avg_duration_seconds": 300,
            "success_calls": 135,
            "failed_calls": 15,
            "success_rate": 90.0,
            "hangup_reasons": {"user": 80, "ai": 50, "timeout": 10, "silence": 5, "error": 5},
            "app_distribution": {"微信": 80, "企业微信": 50, "钉钉": 20},
        },
    }
    assert list(body["data"]["app_distribution"]) == ["微信", "企业微信", "钉钉"]
    assert daily[0] == {"date": "2025-11-01", "calls": 20, "duration": 6000}
    assert [row["date"] for row in daily] == [f"2025-11-0{day}" for day in range(1, 9)]
    assert sum(row["calls"] for row in daily) == 150
    # Nobody has called today, yet.
    assert daily[-1] == {"date": "2025-11-08", "calls": 0, "duration": 0}


async def test_keys_are_the_seeds_in_their_order(user: httpx.AsyncClient) -> None:
    data = await figures(user)
    assert list(data) == [
        *("total_calls", "total_duration_seconds", "avg_duration_seconds", "success_calls", "failed_calls"),
        *("success_rate", "hangup_reasons", "daily_stats", "app_distribution"),
    ]
    assert list(data["hangup_reasons"]) == ["user", "ai", "timeout", "silence", "error"]


async def test_without_a_call_all_is_zero(user: httpx.AsyncClient) -> None:
    data = await figures(user, period="today")
    assert data == {
        "total_calls": 0,
        "total_duration_seconds": 0,
        "avg_duration_seconds": 0,
        "success_calls": 0,
        "failed_calls": 0,
        "success_rate": 0.0,
        "hangup_reasons": NOBODY,
        "daily_stats": [{"date": "2025-11-08", "calls": 0, "duration": 0}],
        "app_distribution": {},
    }


@pytest.mark.parametrize(
    ("period", "first", "days"),
    [("today", "2025-11-08", 1), ("week", "2025-11-03", 6), ("month", "2025-11-01", 8), ("year", "2025-01-01", 312)],
)
async def test_periods_are_the_calendars_to_date(
    user: httpx.AsyncClient, agent: str, period: str, first: str, days: int
) -> None:
    """In Beijing's days: from the midnight before, which is 16:00 UTC of the day before it."""
    before = datetime.fromisoformat(f"{first}T00:00:00+08:00")
    for start in (before - timedelta(seconds=1), before, datetime.fromisoformat("2025-11-08T23:59:59+08:00")):
        await ended(user, agent, start.isoformat())
    await ended(user, agent, "2025-11-09T00:00:00+08:00")
    data = await figures(user, period=period)
    assert data["total_calls"] == 2
    assert data["daily_stats"][0]["date"] == first
    assert data["daily_stats"][-1]["date"] == "2025-11-08"
    assert len(data["daily_stats"]) == days
    assert data["daily_stats"][-1]["calls"] == (2 if days == 1 else 1)


async def test_the_day_changes_at_midnight_in_beijing(user: httpx.AsyncClient, agent: str, clock: SetClock) -> None:
    await ended(user, agent, "2025-11-08T15:00:00Z")
    clock.time = datetime(2025, 11, 8, 15, 59, 59, tzinfo=UTC)
    assert (await figures(user, period="today"))["total_calls"] == 1
    clock.move(seconds=1)
    data = await figures(user, period="today")
    assert (data["total_calls"], data["daily_stats"][0]["date"]) == (0, "2025-11-09")


async def test_only_ended_calls_count(user: httpx.AsyncClient, agent: str) -> None:
    await user.post(RECORDS, json=call_body(agent, start_time="2025-11-08T00:00:00Z"))
    await ended(user, agent, "2025-11-08T00:00:00Z", hangup_reason=None)
    assert (await figures(user))["total_calls"] == 0


async def test_an_unknown_duration_counts_as_nothing_and_the_average_is_whole(
    user: httpx.AsyncClient, agent: str
) -> None:
    for seconds in (None, 100, 101):
        await ended(user, agent, "2025-11-08T00:00:00Z", duration_seconds=seconds)
    data = await figures(user)
    assert (data["total_duration_seconds"], data["avg_duration_seconds"]) == (201, 67)


async def test_rates_have_one_decimal(user: httpx.AsyncClient, agent: str) -> None:
    for reason in ("user", "silence", "timeout"):
        await ended(user, agent, "2025-11-08T00:00:00Z", hangup_reason=reason)
    data = await figures(user)
    assert (data["success_calls"], data["failed_calls"], data["success_rate"]) == (2, 1, 66.7)
    assert data["hangup_reasons"] == NOBODY | {"user": 1, "silence": 1, "timeout": 1}


async def test_no_app_is_unknown(user: httpx.AsyncClient, agent: str) -> None:
    for app in (None, "", "未知", "微信"):
        await ended(user, agent, "2025-11-08T00:00:00Z", caller_app=app)
    assert (await figures(user))["app_distribution"] == {"未知": 3, "微信": 1}


async def test_of_one_agent(user: httpx.AsyncClient, agent: str) -> None:
    await ended(user, agent, "2025-11-08T00:00:00Z")
    other = (await user.post("/api/v1/agents", json={"name": "b"})).json()["data"]["id"]
    assert (await figures(user, agent_id=agent))["total_calls"] == 1
    assert (await figures(user, agent_id=other))["total_calls"] == 0
    assert (await figures(user, agent_id=str(uuid4())))["total_calls"] == 0


async def test_a_stranger_counts_nothing(user: httpx.AsyncClient, stranger: httpx.AsyncClient, agent: str) -> None:
    await ended(user, agent, "2025-11-08T00:00:00Z")
    assert (await figures(stranger, period="year", agent_id=agent))["total_calls"] == 0


async def test_without_a_key(anonymous: httpx.AsyncClient) -> None:
    assert refusal(await anonymous.get(STATISTICS)) == (401, "UNAUTHORIZED")


@together("query", [{"period": "decade"}, {"period": ""}, {"agent_id": "x"}, {"period": "TODAY"}])
async def test_bad_queries(user: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert refusal(await user.get(STATISTICS, params=query)) == (400, "INVALID_PARAM")


@given(today=st.dates(date(1970, 1, 1), date(2199, 12, 31)))
def test_periods_begin_where_the_calendar_says(today: date) -> None:
    assert first_day("today", today) == today
    week, month, year = (first_day(period, today) for period in ("week", "month", "year"))
    assert week.isoweekday() == 1
    assert timedelta() <= today - week < timedelta(days=7)
    assert (month.year, month.month, month.day) == (today.year, today.month, 1)
    assert (year.year, year.month, year.day) == (today.year, 1, 1)
