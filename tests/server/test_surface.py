"""What every request has: an id, a line in the log, an error of its family's shape; and what no log line has."""

import asyncio
import io
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from core import logging
from db.database import Database
from tests.kit.app import Service, running_service
from tests.kit.cases import together
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


@together(("given", "kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 200, False), ("é", False)])
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


@pytest.mark.parametrize("origin", ["https://page.example", None])
async def test_what_browsers_ask_before_is_a_request_too(
    anonymous: httpx.AsyncClient, log: io.StringIO, origin: str | None
) -> None:
    ask = {"origin": origin, "access-control-request-method": "POST"} if origin else {}
    response = await anonymous.options("/threads", headers={"x-request-id": "asked-1", **ask})
    assert response.headers.get_list("x-request-id") == ["asked-1"]
    await asyncio.to_thread(logging.flush)
    [line] = [line for line in log.getvalue().splitlines() if '"server.access"' in line]
    assert '"asked-1"' in line
    assert '"OPTIONS"' in line


@together("value", ['"机密 \\ud800"', "NaN", "-Infinity", "1e999", '"机密 \\u0000"'])
async def test_json_that_the_database_cannot_hold_is_refused(
    user: httpx.AsyncClient, log: io.StringIO, value: str
) -> None:
    body = f'{{"name": "x", "config": {{"机密": {value}}}}}'.encode()
    response = await user.post("/api/v1/agents", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    await asyncio.to_thread(logging.flush)
    assert "机密" not in log.getvalue()


async def test_a_database_error_does_not_quote_rows_in_the_log(
    service: Service, user: httpx.AsyncClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        async with service.runtime.database.transaction() as session:
            await session.execute(text("SELECT CAST(:said AS uuid)"), {"said": SECRET})

    monkeypatch.setattr("server.calls.service.list_page", fail)
    assert (await user.get("/api/v1/call-records")).status_code == 500
    await asyncio.to_thread(logging.flush)
    written = log.getvalue()
    assert "SQLSTATE 22P02" in written
    assert SECRET not in written


@together("length", ["0" * 4400 + "2", "9" * 4400, "9" * 19])
async def test_lengths_that_are_no_numbers(anonymous: httpx.AsyncClient, length: str) -> None:
    headers = {"content-length": length, "content-type": "application/json"}
    response = await anonymous.post("/api/v1/auth/send-code", content=b"{}", headers=headers)
    assert response.status_code in (413, 422)


async def test_a_crash_outside_a_family_has_its_id_too(
    anonymous: httpx.AsyncClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash() -> bytes:
        raise RuntimeError("boom")

    monkeypatch.setattr("server.metrics.text", crash)
    response = await anonymous.get("/metrics", headers={"x-request-id": "crash-2"})
    assert (response.status_code, list(response.json())) == (500, ["detail"])
    assert response.headers["x-request-id"] == "crash-2"
    await asyncio.to_thread(logging.flush)
    [line] = [line for line in log.getvalue().splitlines() if "boom" in line]
    assert "crash-2" in line


async def test_a_crash_outside_a_family_is_not_raised_after_its_answer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The HTTP server would log it once more, and close the connection."""

    def crash() -> bytes:
        raise RuntimeError("boom")

    monkeypatch.setattr("server.metrics.text", crash)
    transport = httpx.ASGITransport(app=service.client._transport.app)  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/metrics")
    assert (response.status_code, list(response.json())) == (500, ["detail"])


async def test_methods_that_a_path_has_are_named(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.put("/api/v1/auth/send-code")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert (await anonymous.head("/health")).status_code == 200
