"""What both kinds of process share: database, models, workflows, jobs and the run engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from langgraph.checkpoint.serde.base import SerializerProtocol

from checkpoints.encryption import serializer
from core.clock import Clock, SystemClock
from core.ids import IdSource, RandomIds
from core.keyring import Keyring
from core.settings import Settings
from db.database import Database
from db.lanes import Lanes
from db.roles import role_url
from jobs.queue import JobQueue
from providers.embeddings import Embedder, embedder_of
from providers.models import Models
from server import metrics
from server.audio.shelf import Shelf
from server.audio.storage import bucket_of, storage_from
from server.auth.identity import signing_secret
from server.interpret.tool_mirror import SwitchedOff, ToolMirror
from server.limits import RateLimits
from server.runs import workflows
from server.runs.broker import Broker
from server.runs.engine import RunEngine
from server.runs.workflows import Workflows
from tools.audio.worker import AudioTools
from tools.mcp import configuration as tool_servers
from tools.mcp.environment import hub_from
from tools.mcp.model import OpenToolHub, ToolHub
from tools.storage.model import OpenStorage

_SYSTEM_CONNECTIONS: Final = 4


@dataclass(frozen=True)
class Runtime:
    """The parts of a running process. `system` sees all rows: for sweeps and operators' commands only.

    `embedder` is the model of the role `embed`, where one is configured. `hub` holds the connections to the plugged-in
    servers; `tools` is what of them is switched on. `shelf` holds the coaches' skills.
    """

    settings: Settings
    database: Database
    system: Database
    models: Models
    embedder: Embedder | None
    workflows: Workflows
    jobs: JobQueue
    broker: Broker
    lanes: Lanes
    serde: SerializerProtocol
    engine: RunEngine
    hub: OpenToolHub
    tools: ToolHub
    storage: OpenStorage
    audio_tools: AudioTools
    shelf: Shelf
    clock: Clock
    ids: IdSource


def preflight(settings: Settings) -> None:
    """See, before anything is started, that models and workflows can be had.

    Raises:
        SettingsError: a model's name cannot be used, its key is missing, a URL is not of our form, a tool server is
            not described as it must be, or what a bucket needs is missing.
        WorkflowError: the list of workflows, or one of them, cannot be used.
    """
    models = Models(settings)
    embedder_of(settings)
    if settings.database_url is not None:
        role_url(settings.database_url.get_secret_value(), "app")
    RateLimits(settings)
    tool_servers.load(settings)
    bucket_of(settings)
    workflows.load(*settings.config)
    models.load()


@asynccontextmanager
async def open_runtime(
    settings: Settings, url: str, *, clock: Clock | None = None, tools: ToolHub | None = None
) -> AsyncIterator[Runtime]:
    """Open the shared parts on a migrated database, and close them at the end.

    Args:
        settings: the configuration.
        url: the database owner's.
        clock: the time; the machine's where none is given.
        tools: in place of those of the servers that the settings name.
    """
    runtime = await _made(settings, url, clock or SystemClock(), tools)
    async with AsyncExitStack() as closing:
        await _open(runtime, closing)
        yield runtime


async def _made(settings: Settings, url: str, clock: Clock, tools: ToolHub | None) -> Runtime:
    """Put the parts together; none is connected yet."""
    secret = await asyncio.to_thread(signing_secret, settings)
    graphs = await asyncio.to_thread(workflows.load, *settings.config)
    # In a thread: a bucket's client reads files when it is imported.
    storage = await asyncio.to_thread(storage_from, settings, secret, clock)
    database = Database(role_url(url, "app"))
    system = Database(role_url(url, "system"), pool_size=_SYSTEM_CONNECTIONS)
    switched_off = SwitchedOff(system.pool)
    hub = await asyncio.to_thread(hub_from, settings, disabled=switched_off, observer=metrics.count_tool_call)
    key = settings.checkpoint_key
    serde = serializer(Keyring.parse(key.get_secret_value()) if key else None)
    jobs, broker, lanes, ids = JobQueue(database.pool), Broker(database.url), Lanes(database.url), RandomIds()
    engine = RunEngine(
        pool=database.pool, lanes=lanes, broker=broker, jobs=jobs, workflows=graphs, serde=serde, ids=ids
    )
    return Runtime(
        settings=settings,
        database=database,
        system=system,
        models=Models(settings),
        embedder=embedder_of(settings),
        workflows=graphs,
        jobs=jobs,
        broker=broker,
        lanes=lanes,
        serde=serde,
        engine=engine,
        hub=hub,
        tools=ToolMirror(tools or hub, system.pool),
        storage=storage,
        audio_tools=AudioTools(),
        shelf=Shelf.of(settings, database, system),
        clock=clock,
        ids=ids,
    )


async def _open(runtime: Runtime, closing: AsyncExitStack) -> None:
    """Connect the parts; at the end the last one to be connected is closed first."""
    for database in (runtime.database, runtime.system):
        closing.push_async_callback(database.close)
        await database.open()
    closing.push_async_callback(runtime.storage.aclose)
    if runtime.embedder is not None:
        closing.push_async_callback(runtime.embedder.aclose)
    closing.push_async_callback(runtime.models.aclose)
    await runtime.jobs.open()
    runtime.broker.start()
    closing.push_async_callback(runtime.broker.stop)
    runtime.lanes.start()
    closing.push_async_callback(runtime.lanes.stop)
    runtime.hub.start()
    closing.push_async_callback(runtime.hub.close)
    runtime.shelf.start()
    closing.push_async_callback(runtime.shelf.stop)


def runtime_of(request: Request) -> Runtime:
    """Return the runtime that the app's lifespan opened."""
    runtime: Runtime = request.app.state.runtime
    return runtime


CurrentRuntime = Annotated[Runtime, Depends(runtime_of)]
