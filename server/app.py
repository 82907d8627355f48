"""The application factory and its lifespan: the composition of `colloquy serve`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from core.clock import Clock
from core.settings import Settings
from server import errors
from server.api import ROUTERS
from server.application import Application
from server.audio import profiles, uploading
from server.auth.identity import open_identity
from server.auth.keys import Keys
from server.auth.repository import by_keys, promote
from server.auth.senders import CodeSender
from server.calls.aliyun import open_aliyun
from server.chat.documents import FORM_BYTES
from server.chat.service import open_chat
from server.counseling.login_repository import appoint
from server.limits import RateLimits
from server.metrics import BUILD
from server.middleware import Surroundings
from server.runs.assistants import Assistants
from server.runtime import open_runtime
from server.shortcuts import Shortcuts
from server.worker import running_worker
from tools.mcp.model import ToolHub

VERSION: Final = version("colloquy")
_DESCRIPTION: Final = """\
Conversations as checkpointed LangGraph workflows.

Send a login's token as `Authorization: Bearer <token>`, or an API key as `Authorization: Bearer <key>` or
`x-api-key: <key>`.
"""


def create_app(
    settings: Settings,
    url: str,
    *,
    with_worker: bool = True,
    clock: Clock | None = None,
    sender: CodeSender | None = None,
    tools: ToolHub | None = None,
) -> FastAPI:
    """Return the application on a migrated database at `url`.

    Args:
        settings: the configuration.
        url: the database owner's; the application's own roles follow from it.
        with_worker: whether runs are executed in this process too.
        clock: the time; the machine's where none is given.
        sender: what brings login codes to people; what the settings say where none is given.
        tools: in place of those of the servers that the settings name.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            runtime = await stack.enter_async_context(open_runtime(settings, url, clock=clock, tools=tools))
            if with_worker:
                await stack.enter_async_context(running_worker(runtime))
            app.state.runtime = runtime
            BUILD.labels(app.version).set(1)
            app.state.assistants = Assistants(runtime.workflows, runtime.clock.now())
            app.state.keys = Keys(partial(by_keys, runtime.database.pool))
            app.state.limits = RateLimits(settings)
            app.state.identity = await stack.enter_async_context(
                open_identity(settings, runtime.clock, runtime.ids, sender)
            )
            app.state.aliyun = await stack.enter_async_context(open_aliyun(runtime))
            app.state.chat = await stack.enter_async_context(open_chat(runtime))
            await promote(runtime.system, settings.admin_phones)
            await appoint(runtime.system, settings.admin_emails, runtime.clock.now())
            yield

    app = Application(title="Colloquy", version=VERSION, description=_DESCRIPTION, lifespan=lifespan)
    for router in ROUTERS:
        # They are complete as they are; to include them would build each a second time, at the first request.
        app.router.routes.extend(router.routes)
    errors.install(app, debug=settings.debug)
    _surround(app, settings)
    return app


def _surround(app: Application, settings: Settings) -> None:
    """Add what happens around every request."""
    uploads = {
        "/api/v1/documents/upload": settings.max_document_bytes + FORM_BYTES,
        "/api/v1/audio/upload": settings.max_recording_bytes + uploading.FORM_BYTES,
        "/api/v1/profiles/upload-photo": profiles.FORM_BYTES,
    }
    surround = partial(
        Surroundings,
        seconds=settings.request_timeout_seconds,
        max_bytes=settings.max_body_bytes,
        max_bytes_of=uploads,
        debug=settings.debug,
    )
    let_in = partial(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[
            *("X-Request-Id", "X-Colloquy-Model", "Retry-After"),
            *("Location", "Content-Location", "X-Pagination-Total", "X-Pagination-Next"),
        ],
    )
    within = surround(Shortcuts(app.inner, ROUTERS))
    # Pages may read what the surroundings refuse; what they ask before is answered on the way, and surrounded too.
    across, asking = let_in(within), surround(let_in(app.inner))
    # Outermost: the client's address is then right for all that is within. uvicorn has types of its own for ASGI.
    behind_proxies: Any = partial(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    app.surround(behind_proxies(within), behind_proxies(across), behind_proxies(asking))
