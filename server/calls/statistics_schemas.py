"""Bodies of the statistics of calls, with the seed's keys in the seed's order (C021–C025)."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel

Period = Literal["today", "week", "month", "year"]


class StatisticsQuery(BaseModel):
    """Which calls are counted (C021, G26)."""

    period: Period = "month"
    agent_id: UUID | None = None


class HangupReasons(BaseModel):
    """How many calls ended for each reason; all five are always there (C023)."""

    user: int = 0
    ai: int = 0
    timeout: int = 0
    silence: int = 0
    error: int = 0


class DailyStats(BaseModel):
    """One day in Beijing, `YYYY-MM-DD`; `duration` is in seconds (C024)."""

    date: str
    calls: int
    duration: int


class Statistics(BaseModel):
    """The figures of a period's ended calls (G25); `success_rate` is a percentage with one decimal."""

    total_calls: int
    total_duration_seconds: int
    avg_duration_seconds: int
    success_calls: int
    failed_calls: int
    success_rate: float
    hangup_reasons: HangupReasons
    daily_stats: list[DailyStats]
    app_distribution: dict[str, int]
