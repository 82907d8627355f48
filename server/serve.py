"""`colloquy serve`: database, schema, development key, then uvicorn."""

import asyncio
import signal
import socket
from typing import Final

import structlog
import typer
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from core.settings import OFFLINE, Settings
from db.database import Database
from db.roles import role_url
from providers.models import Models
from server import memory
from server.app import create_app
from server.auth.api_keys import development_key
from server.database import located, migrate
from server.runtime import preflight
from server.threads import widen
from server.writes import joining

log = structlog.get_logger(__name__)

_DRAIN_SECONDS: Final = 15


async def serve_forever(settings: Settings, *, with_worker: bool) -> None:
    """Serve until SIGINT or SIGTERM."""
    widen(settings.worker_concurrency)
    await asyncio.to_thread(preflight, settings)
    async with located(settings) as url:
        await migrate(url, vectors=settings.embeds)
        greeting = await _greeting(settings, url) if settings.env == "development" else ""
        server = _Server(
            uvicorn.Config(
                create_app(settings, url, with_worker=with_worker),
                host=settings.host,
                port=settings.port,
                http=joining(AutoHTTPProtocol),
                log_config=None,
                access_log=False,
                server_header=False,
                # The application does it itself, by TRUSTED_PROXIES.
                proxy_headers=False,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
            ),
            greeting,
        )
        # uvicorn raises the signal that stopped it once more when it is done; there is a database to leave yet.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        memory.settle()
        await server.serve()


class _Server(uvicorn.Server):
    """Greets once it listens, so that what it prints is true."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._greeting:
            typer.echo(self._greeting)


async def _greeting(settings: Settings, url: str) -> str:
    system = Database(role_url(url, "system"), pool_size=1)
    await system.open()
    try:
        key = await development_key(system, settings.data_dir / "api-key")
    finally:
        await system.close()
    names = set(Models(settings).describe().values())
    return _GREETING.format(address=f"http://{settings.host}:{settings.port}", key=key, models=_tell(names))


def _tell(names: set[str]) -> str:
    if names == {OFFLINE}:
        return "offline (plain rules, no language model; set MODEL_DEFAULT and its key in .env)"
    return ", ".join(sorted(names))


_GREETING: Final = """
  Colloquy   {address}        (documentation: {address}/docs)
  API key    {key}        (for development; kept in the data directory)
  Model      {models}

  Next: in another terminal
    make demo
  or
    curl -s {address}/api/v1/agents -H 'x-api-key: {key}' \\
      -H 'content-type: application/json' -d '{{"name": "智能客服"}}'
"""
