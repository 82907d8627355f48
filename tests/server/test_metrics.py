"""`/metrics`: what was asked, run and spent; without ids, without words that anybody said (B041 of G72)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY

from db.database import Database
from server import errors
from server.middleware import Surroundings
from tests.kit.app import Service, running_service
from tests.kit.model_faults import Status
from tests.kit.model_server import ModelServer
from tests.kit.waiting import until
from tests.server.calls.conftest import MESSAGES, call_body

SUMMARY = "<request>问价</request><key_information>2980元</key_information><outcome>再联系</outcome>"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def talked(user: httpx.AsyncClient) -> str:
    agent = (await user.post("/api/v1/agents", json={"name": "智能客服"})).json()["data"]["id"]
    call = (await user.post("/api/v1/call-records", json=call_body(agent))).json()["data"]["id"]
    await user.patch(f"/api/v1/call-records/{call}", json={"messages": MESSAGES})
    return str(call)


async def test_requests_are_counted_by_route(user: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    route = "/api/v1/call-records/{record_id}"
    name = "colloquy_http_requests_total"
    seen = value(name, method="GET", route=route, status="404")
    unknown = value(name, method="GET", route="unknown", status="404")
    other = value(name, method="other", route="unknown", status="404")
    for number in range(3):
        await user.get(f"/api/v1/call-records/00000000-0000-0000-0000-00000000000{number}")
        await anonymous.get(f"/nowhere/{number}")
    await anonymous.request("BREW", "/nowhere")
    assert value(name, method="GET", route=route, status="404") == seen + 3
    assert value(name, method="GET", route="unknown", status="404") == unknown + 3
    assert value(name, method="other", route="unknown", status="404") == other + 1
    assert value("colloquy_http_request_seconds_count", method="GET", route=route) >= 3
    assert value("colloquy_http_requests_in_flight") == 0


async def test_runs_models_and_tokens_are_counted(user: httpx.AsyncClient, models: ModelServer) -> None:
    model = {"role": "summary", "model": "openai:summary"}
    names = {
        "finished": ("colloquy_runs_finished_total", {"workflow": "call_summary", "status": "success"}),
        "failed": ("colloquy_model_calls_total", model | {"outcome": "failed"}),
        "ok": ("colloquy_model_calls_total", model | {"outcome": "ok"}),
        "input": ("colloquy_model_tokens_total", model | {"direction": "input"}),
        "output": ("colloquy_model_tokens_total", model | {"direction": "output"}),
        "calls": ("colloquy_model_call_seconds_count", model),
        "runs": ("colloquy_run_seconds_count", {"workflow": "call_summary"}),
        "waits": ("colloquy_run_wait_seconds_count", {"workflow": "call_summary"}),
    }
    before = {key: value(name, **labels) for key, (name, labels) in names.items()}
    call = await talked(user)
    models.script("summary", Status(500), SUMMARY)
    assert (await user.post(f"/api/v1/call-records/{call}/generate-summary")).status_code == 200
    # Who waits for a run is answered before it is counted.
    await until(lambda: value(names["runs"][0], **names["runs"][1]) > before["runs"])
    gained = {key: value(name, **labels) - before[key] for key, (name, labels) in names.items()}
    assert gained == {
        "finished": 1,
        "failed": 1,
        "ok": 1,
        "input": 11,
        "output": len(SUMMARY),
        "calls": 2,
        "runs": 1,
        "waits": 1,
    }


async def test_what_prometheus_reads(service: Service, user: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, status) VALUES ('later', 'none', 'todo')"
        )
    response = await anonymous.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    lines = response.text.splitlines()
    assert "colloquy_jobs_waiting 1.0" in lines
    assert 'colloquy_runs{status="pending"} 0.0' in lines
    assert any(line.startswith('colloquy_build_info{version="') for line in lines)
    assert any(line.startswith('colloquy_pool_connections{pool="system",state="idle"}') for line in lines)
    assert user.headers["authorization"].removeprefix("Bearer ") not in response.text


async def test_the_token(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path, {"METRICS_TOKEN": "geheim"}) as service:
        for headers in ({}, {"authorization": "Bearer other"}, {"authorization": "geheim"}):
            response = await service.client.get("/metrics", headers=headers)
            assert (response.status_code, list(response.json())) == (401, ["detail"])
        allowed = await service.client.get("/metrics", headers={"authorization": "Bearer geheim"})
        assert allowed.status_code == 200


async def test_without_the_database_the_rest_is_told(
    service: Service, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Database("postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(service.runtime.database, "pool", gone.pool)
    response = await anonymous.get("/metrics")
    assert response.status_code == 200
    assert "colloquy_http_requests_total" in response.text


class TestTimeLimit:
    """X035: a request whose answer does not begin in time is ended; a stream that has begun is not."""

    @pytest.fixture
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        app = FastAPI()

        @app.get("/api/v1/call-records/slow")
        async def slow() -> None:
            try:
                await asyncio.sleep(10)
            finally:
                self.cleaned_up = True

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            async def pieces() -> AsyncIterator[str]:
                for piece in "abc":
                    yield piece
                    await asyncio.sleep(0.1)

            return StreamingResponse(pieces())

        @app.post("/trickle")
        async def trickle(body: dict[str, str]) -> dict[str, str]:
            return body

        errors.install(app)
        app.add_middleware(Surroundings, seconds=0.15)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client

    cleaned_up = False

    async def test_a_slow_answer(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/api/v1/call-records/slow")
        assert response.status_code == 504
        assert response.json()["error"] == {"code": "TIMEOUT", "message": "请求处理超时，请稍后重试"}
        assert response.headers["x-request-id"]
        assert self.cleaned_up

    async def test_a_stream(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/stream")).text == "abc"

    async def test_a_body_that_trickles(self, client: httpx.AsyncClient) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b" "
                await asyncio.sleep(0.05)

        response = await client.post("/trickle", content=pieces(), headers={"content-type": "application/json"})
        assert response.status_code == 504
