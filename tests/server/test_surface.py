"""What every request has: an id, a line in the log, an error of its family's shape; and what no log line has."""

import asyncio
import io
from typing import Any

import httpx
import pytest

from core import logging
from db.database import Database
from tests.kit.app import Service, running_service
from tests.kit.model_faults import Status
from tests.kit.model_server import ModelServer

SECRET = "机密内容4417"


async def test_health_is_public_and_complete(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.get("/health")
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["status", "load", "dependencies"]
    assert (body["status"], body["load"]) == ("ok", {"runs_pending": 0, "runs_running": 0})
    assert list(body["dependencies"]) == ["database", "checkpointer", "mcp", "models"]
    assert body["dependencies"]["models"]["summary"] == "openai:summary"


async def test_health_is_degraded_without_the_database(
    service: Service, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Database("postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(service.runtime.database, "pool", gone.pool)
    response = await anonymous.get("/health")
    assert (response.status_code, response.json()["status"]) == (503, "degraded")
    assert response.json()["dependencies"]["database"] == "down"


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 200, False), ("é", False)])
async def test_request_ids(anonymous: httpx.AsyncClient, given: str, *, kept: bool) -> None:
    response = await anonymous.get("/health", headers=[(b"x-request-id", given.encode("latin-1"))])
    assert (response.headers["x-request-id"] == given) is kept
    assert response.headers["x-request-id"]


async def test_the_documentation_is_there(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/docs")).status_code == 200
    described = (await anonymous.get("/openapi.json")).json()
    create = described["paths"]["/api/v1/call-records"]["post"]
    assert {"400", "401", "404", "413"} <= set(create["responses"])
    assert create["security"]


async def test_unknown_paths_have_the_common_shape(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.get("/api/v1/call-recordsX")
    assert (response.status_code, list(response.json())) == (404, ["detail"])


async def test_a_crash_shows_nothing_of_itself(
    service: Service, user: httpx.AsyncClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("server.calls.service.list_page", crash)
    response = await user.get("/api/v1/call-records", headers={"x-request-id": "crash-1"})
    assert response.status_code == 500
    assert response.json() == {
        "success": False,
        "error": {"code": "INTERNAL", "message": "服务器内部错误，请稍后重试"},
    }
    await asyncio.to_thread(logging.flush)
    [line] = [line for line in log.getvalue().splitlines() if "request_crashed" in line]
    assert "crash-1" in line
    assert "boom" in line


async def test_no_transcript_key_or_prompt_is_ever_logged(
    user: httpx.AsyncClient, log: io.StringIO, models: ModelServer
) -> None:
    agent = (await user.post("/api/v1/agents", json={"name": SECRET})).json()["data"]["id"]
    body = {"agent_id": agent, "start_time": "2025-11-08T10:00:00Z", "caller_name": SECRET}
    call = (await user.post("/api/v1/call-records", json=body)).json()["data"]["id"]
    path = f"/api/v1/call-records/{call}"
    await user.patch(path, json={"messages": [{"role": "user", "content": SECRET, "timestamp": 1}]})
    models.script("summary", f"<request>{SECRET}</request>", Status(500))
    await user.post(f"{path}/generate-summary")
    await user.patch(path, json={"messages": SECRET})
    await user.get("/api/v1/call-records", params={"agent_id": SECRET})
    await asyncio.to_thread(logging.flush)
    written = log.getvalue()
    assert "run_finished" in written
    assert SECRET not in written
    assert user.headers["authorization"].removeprefix("Bearer ") not in written
    assert "专业的通话摘要助手" not in written


async def test_browsers_are_let_in_by_name_only(database_url: str, tmp_path: Any) -> None:
    async with running_service(database_url, tmp_path, {"CORS_ORIGINS": "https://a.example, https://b.example"}) as it:
        ask = {"origin": "https://a.example", "access-control-request-method": "GET"}
        allowed = await it.client.options("/health", headers=ask)
        assert allowed.headers["access-control-allow-origin"] == "https://a.example"
        refused = await it.client.options("/health", headers=ask | {"origin": "https://c.example"})
        assert "access-control-allow-origin" not in refused.headers
