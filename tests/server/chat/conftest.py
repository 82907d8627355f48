"""The application with deep chat's stand-in graph, scripted models, and a clock that stands."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kit.app import Service, running_service
from tests.kit.model_server import ModelServer
from tests.kit.people import SetClock

ROOT = Path(__file__).parent.parent.parent.parent
PROJECT = ROOT / "tests" / "projects" / "deep" / "langgraph.json"
ROLES = ["fast", "deep", "intent", "planning", "analysis", "content_generation", "evaluation", "narrative"]

INIT = "/api/v1/frontend/session/init"
NEW = "/api/v1/chat/new"
CHAT = "/api/v1/frontend/chat"
RAW = "/api/v1/analyze-deep/raw"
RESUME = "/api/v1/chat/resume"
UPLOAD = "/api/v1/documents/upload"
SESSIONS = "/api/v1/frontend/sessions"
EXPIRED = {"success": False, "error": "会话已过期，请重新初始化", "error_code": "SESSION_EXPIRED"}
GENEROUS = {f"RATE_LIMIT_{name}": "100000/minute" for name in ("SESSIONS", "CHAT", "UPLOADS")}


def environment(models: ModelServer, **more: str) -> dict[str, str]:
    return models.environment(provider="openai", roles=ROLES) | GENEROUS | {"COLLOQUY_CONFIG": str(PROJECT)} | more


@dataclass
class Person:
    """Somebody with a session."""

    client: httpx.AsyncClient
    user_id: str
    session_id: str
    thread_id: str

    async def say(self, message: str, mode: str = "chat", **more: Any) -> httpx.Response:
        headers = more.pop("headers", None)
        params = more.pop("params", None)
        body = {"message": message, "session_id": self.session_id, "user_id": self.user_id, "mode": mode} | more
        return await self.client.post(CHAT, json=body, headers=headers, params=params)

    async def history(self) -> dict[str, Any]:
        response = await self.client.get(
            f"{SESSIONS}/{self.session_id}/messages", params={"user_id": self.user_id, "page_size": 100}
        )
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def upload(self, name: str, content: bytes, **fields: str) -> httpx.Response:
        data = {"session_id": self.session_id, "user_id": self.user_id} | fields
        return await self.client.post(UPLOAD, data=data, files={"file": (name, content)})


async def somebody(client: httpx.AsyncClient) -> Person:
    body = (await client.get(INIT)).json()
    return Person(client, body["user_id"], body["session_id"], body["thread_id"])


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Check the family's error shape to the last key; give the status and the code."""
    body = response.json()
    assert list(body) == ["success", "error", "error_code"] + (["detail"] if response.status_code >= 500 else [])
    assert body["success"] is False
    assert body["error"]
    return response.status_code, body["error_code"]


def events_of(text: str) -> list[tuple[str, str | None, Any]]:
    """Read a stream: event, id, data."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
    return found


def text_of(events: list[tuple[str, str | None, Any]]) -> str:
    """Return the text that a client has put together from the deltas."""
    text = ""
    for event, _id, data in events:
        if event == "reset":
            text = ""
        elif event == "delta":
            text += data["text"]
    return text


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def service(database_url: str, tmp_path: Path, models: ModelServer, clock: SetClock) -> AsyncIterator[Service]:
    async with running_service(database_url, tmp_path, environment(models), clock=clock) as service:
        yield service


@pytest.fixture
async def person(service: Service) -> Person:
    return await somebody(service.client)


@pytest.fixture
def scripted(models: ModelServer) -> ModelServer:
    """Models of which the deep ones are content with what they make."""
    models.script("planning", "推广降噪耳机")
    models.script("content_generation", "每一次通勤都值得安静。")
    models.script("evaluation", "8")
    models.script("fast", "您好，有什么可以帮您？")
    return models
