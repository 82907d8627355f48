"""`GET /metrics`: for Prometheus, in a server and in a worker; with METRICS_TOKEN, for whoever has it."""

import asyncio
import secrets
from typing import Final

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from core.errors import Unauthenticated
from server import metrics
from server.runs import repository
from server.runtime import CurrentRuntime, Runtime
from server.security import anybody

log = structlog.get_logger(__name__)
router = APIRouter(tags=["health"])

_PATIENCE_SECONDS: Final = 2.0


async def check_token(request: Request, runtime: CurrentRuntime) -> None:
    """Let the configured token pass, or everybody where none is configured.

    Raises:
        Unauthenticated: a token is configured, and was not sent.
    """
    wanted = runtime.settings.metrics_token
    if wanted is None:
        return
    sent = request.headers.get("authorization", "").encode("latin-1")
    if not secrets.compare_digest(sent, f"Bearer {wanted.get_secret_value()}".encode()):
        raise Unauthenticated("A token is needed to read metrics.")


@router.get(
    "/metrics",
    response_model=str,
    response_class=PlainTextResponse,
    dependencies=[Depends(anybody), Depends(check_token)],
)
async def read_metrics(runtime: CurrentRuntime) -> Response:
    """Show the metrics in Prometheus' text form."""
    await _look(runtime)
    # In a thread: the figures of the process itself are read from files.
    return Response(await asyncio.to_thread(metrics.text), media_type=metrics.MEDIA_TYPE)


async def _look(runtime: Runtime) -> None:
    metrics.show_pool("application", runtime.database.pool.get_stats())
    metrics.show_pool("system", runtime.system.pool.get_stats())
    metrics.show_tool_servers(runtime.hub.health())
    try:
        async with runtime.database.pool.connection(timeout=_PATIENCE_SECONDS) as connection:
            load = await repository.load(connection)
    except Exception as error:  # noqa: BLE001 - the other figures are worth having without a database
        log.warning("metrics_database_down", error=type(error).__name__)
        return
    metrics.show_load(load.pending, load.running, load.jobs)
