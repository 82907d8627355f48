"""`GET /health`: public, no secrets; degraded only when the database or the checkpoints are out of reach (K11)."""

from typing import Annotated, Final, Literal

import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from server.runs import repository
from server.runtime import CurrentRuntime
from server.security import anybody

log = structlog.get_logger(__name__)
router = APIRouter(tags=["health"])

_PATIENCE_SECONDS: Final = 2.0
Reachable = Literal["ok", "down"]


class Load(BaseModel):
    """What the service is busy with."""

    runs_pending: int
    runs_running: int


class Dependencies(BaseModel):
    """How each dependency is; `mcp` has the plugged-in servers, `models` the model behind each role."""

    database: Reachable
    checkpointer: Reachable
    mcp: dict[str, Reachable]
    models: dict[str, str]


class Health(BaseModel):
    """How the service is."""

    status: Literal["ok", "degraded"]
    load: Load
    dependencies: Dependencies


async def measure(runtime: CurrentRuntime) -> Load | None:
    """Count unfinished runs; None when the database or the checkpoints do not answer."""
    try:
        async with runtime.database.pool.connection(timeout=_PATIENCE_SECONDS) as connection:
            load = await repository.load(connection)
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "down"
        log.warning("health_database_down", error=type(error).__name__)
        return None
    return Load(runs_pending=load.pending, runs_running=load.running)


@router.head("/health", include_in_schema=False, dependencies=[Depends(anybody)])
@router.get("/health", responses={503: {"model": Health}}, dependencies=[Depends(anybody)])
async def health(response: Response, runtime: CurrentRuntime, load: Annotated[Load | None, Depends(measure)]) -> Health:
    """Tell how the service and its dependencies are."""
    reachable: Reachable = "down" if load is None else "ok"
    if load is None:
        response.status_code = 503
    return Health(
        status="degraded" if load is None else "ok",
        load=load or Load(runs_pending=0, runs_running=0),
        dependencies=Dependencies(
            database=reachable,
            checkpointer=reachable,
            # As last seen: nobody waits for a tool server here, and without one the service is not degraded.
            mcp={server.name: "ok" if server.reachable else "down" for server in runtime.hub.health()},
            models=runtime.models.describe() | ({"embed": runtime.embedder.name} if runtime.embedder else {}),
        ),
    )
