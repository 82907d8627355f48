import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from server.auth import api_keys, repository
from server.runs.model import RunRequest, RunResult
from server.runtime import Runtime
from tests.kit.app import Service, running_service

GRAPHS = {
    "chat": "tests.kit.chat_graphs:chat",
    "steps": "tests.kit.graphs:steps",
    "approval": "tests.kit.graphs:approval",
    "nested": "tests.server.runs.protocol.graphs:nested",
    "choice": "tests.server.runs.protocol.graphs:choice",
    "talking": "tests.server.runs.protocol.graphs:talking",
    "both": "tests.server.runs.protocol.graphs:both",
    "wrapped": "tests.server.runs.protocol.graphs:wrapped",
}
NOBODY = str(UUID(int=0))


@dataclass
class Person:
    """A user with the real SDK's client, and a bare one for what the SDK does not send."""

    id: UUID
    sdk: Any  # a LangGraphClient, whose types promise fewer forms than it has
    http: httpx.AsyncClient
    runtime: Runtime

    async def start(self, workflow: str = "steps", thread_id: str | None = None, **values: Any) -> tuple[str, UUID]:
        thread = thread_id or str(uuid4())
        return thread, await self.runtime.engine.start(self.asked(thread, workflow, **values))

    def asked(self, thread_id: str, workflow: str = "steps", **values: Any) -> RunRequest:
        return RunRequest(thread_id=UUID(thread_id), owner_id=self.id, workflow=workflow, input=values)

    async def run(self, workflow: str = "steps", thread_id: str | None = None, **values: Any) -> str:
        """Run a workflow to its end, or to its interrupt; give the thread."""
        thread, run_id = await self.start(workflow, thread_id, **values)
        await self.wait(run_id)
        return thread

    async def wait(self, run_id: UUID) -> RunResult:
        return await self.runtime.engine.wait(self.id, run_id, 20)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": GRAPHS}))
    return {"COLLOQUY_CONFIG": str(config)}


@pytest.fixture
async def service(database_url: str, tmp_path: Path, environ: dict[str, str]) -> AsyncIterator[Service]:
    async with running_service(database_url, tmp_path, environ) as service:
        yield service


async def person(service: Service) -> Person:
    http = await service.as_user()
    key = http.headers.pop("authorization").removeprefix("Bearer ")
    # As the SDKs send it.
    http.headers["x-api-key"] = key
    principal = await repository.by_key(service.runtime.database.pool, api_keys.digest(key))
    assert principal is not None
    return Person(principal.user_id, LangGraphClient(http), http, service.runtime)


@pytest.fixture
async def me(service: Service) -> Person:
    return await person(service)


@pytest.fixture
async def other(service: Service) -> Person:
    return await person(service)


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Check the protocol's error shape to the last key; give the status and the sentence."""
    assert list(response.json()) == ["detail"]
    assert isinstance(response.json()["detail"], str)
    return response.status_code, response.json()["detail"]
