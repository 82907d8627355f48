"""`/api/v1/call-records/statistics`: figures of one's calls (C021). Before the records: its path fits theirs (C026)."""

from typing import Annotated, Any

from fastapi import Query, Request, Response

from server.by_hand import query_of, shown
from server.calls import statistics_service
from server.calls.endpoints.router import calls_router
from server.calls.schemas import Answer
from server.calls.statistics_schemas import Statistics, StatisticsQuery
from server.errors import resolved
from server.runtime import CurrentRuntime, runtime_of
from server.security import CurrentActing, acting_caller

router = calls_router("/call-records/statistics")


async def _reading(request: Request) -> dict[str, Any]:
    caller = await acting_caller(request)
    return {"asked": query_of(request, StatisticsQuery), "caller": caller, "runtime": runtime_of(request)}


@router.get("", response_model=Answer[Statistics])
@resolved(_reading)
async def read(asked: Annotated[StatisticsQuery, Query()], caller: CurrentActing, runtime: CurrentRuntime) -> Response:
    """Count the ended calls of the day, week, month or year to date, in Beijing's days."""
    now = runtime.clock.now()
    return shown(Answer(data=await statistics_service.read(runtime.database.pool, caller, asked, now)))
