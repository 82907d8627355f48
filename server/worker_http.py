"""A worker's own little server: `/health` and `/metrics`, where METRICS_PORT asks for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from core.tasks import end
from server import errors, health, monitoring
from server.runtime import Runtime


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The worker's own handlers end it.
        yield


@asynccontextmanager
async def watched(runtime: Runtime) -> AsyncIterator[None]:
    """Show the worker's health and metrics on HOST and METRICS_PORT while the block runs, if a port is set."""
    settings = runtime.settings
    if settings.metrics_port is None:
        yield
        return
    app = FastAPI(openapi_url=None)
    app.state.runtime = runtime
    app.include_router(health.router)
    app.include_router(monitoring.router)
    errors.install(app)
    server = _Server(
        uvicorn.Config(
            app, host=settings.host, port=settings.metrics_port, log_config=None, access_log=False, lifespan="off"
        )
    )
    task = asyncio.create_task(server.serve(), name="worker's metrics")
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=2)
        await end(task)
