"""The real application over ASGI, on a real database, with scripted models."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import text

from core.clock import Clock
from core.settings import Settings
from server.app import create_app
from server.auth import api_keys
from server.auth.senders import CodeSender
from server.runtime import Runtime
from tools.mcp.model import ToolHub

_PROMOTE = text(
    "UPDATE auth.users SET is_admin = true WHERE id = (SELECT user_id FROM auth.api_keys WHERE key_sha256 = :digest)"
)


@dataclass
class Service:
    """A running application: `client` is anonymous, `as_user()` gives a client of a new user."""

    runtime: Runtime
    client: httpx.AsyncClient

    async def as_user(self, *, is_admin: bool = False) -> httpx.AsyncClient:
        async with self.runtime.system.transaction() as session:
            key = await api_keys.create(session, "test")
            if is_admin:
                await session.execute(_PROMOTE, {"digest": api_keys.digest(key)})
        headers = {"authorization": f"Bearer {key}"}
        return httpx.AsyncClient(transport=self.client._transport, base_url="http://test", headers=headers)


@asynccontextmanager
async def running_service(
    url: str,
    data_dir: Path,
    environ: Mapping[str, str] | None = None,
    *,
    clock: Clock | None = None,
    sender: CodeSender | None = None,
    tools: ToolHub | None = None,
) -> AsyncIterator[Service]:
    # To bring skills into the database takes a third of a start; tests that need any say where they are.
    places = {"DATA_DIR": str(data_dir), "SKILLS_DIR": str(data_dir / "skills")}
    settings = Settings.load({"ENV": "test", **places, **(environ or {})}, dotenv=None)
    app = create_app(settings, url, clock=clock, sender=sender, tools=tools)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Service(app.state.runtime, client)
