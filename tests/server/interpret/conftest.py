"""People with sessions, a hub of a few tools, and a scripted model."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from psycopg.rows import DictRow

from db.models.auth import User
from server.auth import api_keys
from tests.graphs.interpret_setting import ADD_2_3, INTEGER, act, step
from tests.kit.app import Service, running_service
from tests.kit.fake_hub import FakeHub, text
from tests.kit.model_server import ModelServer
from tools.mcp.model import Answers, InputNeeded, ToolResult, ToolTimedOut, ToolUnreachable

API = "/v1/api"
APPEND = act(step("s1", "append", {"text": "第一行"}), text="要追加一行“第一行”吗？")
ADD_THEN_WIPE = act(
    step("s1", "add", {"a": 1, "b": 1}),
    step("s2", "wipe", {"path": "a"}, after=["s1"]),
    text="先相加，再清空 a，确认吗？",
)


class GatedHub(FakeHub):
    """Tools that wait until the gate is open; `add`, `append`, `wipe`, `ask` and those that fail."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.add("add", _add, {"a": INTEGER, "b": INTEGER}, read_only=True)
        self.add("append", lambda given, _: text(given["text"]), {"text": {"type": "string"}}, destructive=False)
        self.add("wipe", lambda _given, _answers: text("wiped"), {"path": {"type": "string"}})
        self.add("order", _order, {"dish": {"type": "string"}}, destructive=False)
        self.add("fails", lambda _given, _answers: ToolResult(content=text("内部细节").content, is_error=True))
        self.add("down", _raise(ToolUnreachable()))
        self.add("late", _raise(ToolTimedOut()))

    async def call(self, name: str, arguments: Mapping[str, Any], **more: Any) -> ToolResult | InputNeeded:
        await self.gate.wait()
        return await super().call(name, arguments, **more)


def _add(given: Mapping[str, Any], _answers: Answers | None) -> ToolResult:
    return ToolResult(structured={"result": given["a"] + given["b"]})


SIZE = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}, "required": ["size"]}


def _order(given: Mapping[str, Any], answers: Answers | None) -> ToolResult | InputNeeded:
    if answers is None:
        asked = {"method": "elicitation/create", "params": {"message": "多大份？", "requestedSchema": SIZE}}
        return InputNeeded(requests={"size": asked}, state="kept")
    answer = answers.responses["size"]
    return text(f"{answer['content']['size']} {given['dish']}" if answer["action"] == "accept" else "declined")


def _raise(error: Exception) -> Any:
    def behave(_given: Any, _answers: Any) -> ToolResult:
        raise error

    return behave


@dataclass
class Person:
    """A user with a client."""

    client: httpx.AsyncClient
    id: str
    headers: dict[str, str] = field(default_factory=dict)

    async def _post(self, path: str, session: str, headers: Mapping[str, str], **body: Any) -> httpx.Response:
        body = {"sessionId": session, "userId": self.id} | body
        return await self.client.post(f"{API}/{path}", json=body, headers=dict(headers))

    async def interpret(self, words: str = "把二和三加起来", session: str = "s1", **headers: str) -> httpx.Response:
        return await self._post("interpret", session, headers, text=words)

    async def execute(
        self, action: str = "add", params: Any = None, session: str = "s1", **headers: str
    ) -> httpx.Response:
        params = {"a": 2, "b": 3} if params is None else params
        return await self._post("execute", session, headers, action=action, params=params)

    async def confirm(
        self, session: str = "s1", headers: Mapping[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        return await self._post("confirm", session, headers or {}, **body)

    async def session(self, session: str = "s1") -> dict[str, Any]:
        data: dict[str, Any] = (await self.client.get(f"{API}/sessions/{session}")).json()["data"]
        return data

    async def until(self, status: str, session: str = "s1") -> None:
        """Wait until the session has a status."""
        while (await self.client.get(f"{API}/sessions/{session}")).json().get("data", {}).get("status") != status:
            await asyncio.sleep(0.01)

    async def logs(self, session: str = "s1") -> list[tuple[str, str, str]]:
        rows = (await self.client.get(f"{API}/sessions/{session}/logs")).json()["data"]["logs"]
        return [(row["step"], row["status"], row["message"]) for row in rows]


async def person(service: Service) -> Person:
    async with service.runtime.system.transaction() as session:
        user = User()
        session.add(user)
        await session.flush()
        key = await api_keys.create(session, "test", user.id)
    headers = {"authorization": f"Bearer {key}"}
    transport = service.client._transport
    return Person(httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers), str(user.id))


@pytest.fixture
def hub() -> GatedHub:
    return GatedHub()


@pytest.fixture
def settings() -> dict[str, str]:
    """What a test changes, by `pytest.mark.parametrize`."""
    return {}


@pytest.fixture
async def service(
    database_url: str, tmp_path: Path, models: ModelServer, hub: GatedHub, settings: dict[str, str]
) -> AsyncIterator[Service]:
    environ = models.environment(provider="openai", roles=["interpret"]) | settings
    models.script("interpret", ADD_2_3)
    async with running_service(database_url, tmp_path, environ, tools=hub) as service:
        yield service


@pytest.fixture
async def me(service: Service) -> Person:
    return await person(service)


@pytest.fixture
async def them(service: Service) -> Person:
    return await person(service)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def rows(service: Service, query: str, *values: Any) -> list[DictRow]:
    """Read with the system role's eyes."""
    async with service.runtime.system.pool.connection() as connection:
        return await (await connection.execute(query.encode(), values)).fetchall()


async def thread_of(service: Service, session: str = "s1") -> UUID:
    [row] = await rows(service, "SELECT thread_id FROM interpret.sessions WHERE session_id = %s", session)
    thread: UUID = row["thread_id"]
    return thread


def msg(response: httpx.Response) -> tuple[int, str]:
    """Check the shape of interpret's failures to the last key; give the status and the code."""
    body = response.json()
    assert list(body) == ["error"], body
    assert list(body["error"]) == ["code", "msg"]
    assert body["error"]["msg"]
    return response.status_code, body["error"]["code"]


def message(response: httpx.Response) -> tuple[int, str, str]:
    """Check the shape of execute's failures to the last key; give the status, the code and the sentence."""
    body = response.json()
    assert list(body) == ["success", "error"], body
    assert body["success"] is False
    assert list(body["error"]) == ["code", "message"]
    return response.status_code, body["error"]["code"], body["error"]["message"]
