"""`/api/v1/call-records/statistics`: figures of one's calls (C021). Before the records: its path fits theirs (C026)."""

from uuid import UUID

from server.calls import statistics_service
from server.calls.endpoints.router import calls_router
from server.calls.schemas import Answer
from server.calls.statistics_schemas import Period, Statistics
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = calls_router("/call-records/statistics")


@router.get("")
async def read(
    principal: CurrentPrincipal, runtime: CurrentRuntime, period: Period = "month", agent_id: UUID | None = None
) -> Answer[Statistics]:
    """Count the ended calls of the day, week, month or year to date, in Beijing's days."""
    figures = await statistics_service.read(
        runtime.database, principal.user_id, period=period, agent_id=agent_id, now=runtime.clock.now()
    )
    return Answer(data=figures)
