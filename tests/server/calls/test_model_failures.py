"""What a caller sees of each vendor's each fault (G67, X027): once, and for good. The matrix of the documentation."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tenacity import wait_none

from nodes.common import attempts
from tests.kit.app import Service, running_service
from tests.kit.model_faults import Body, CutStream, Delay, MalformedJson, SlowTokens, Status
from tests.kit.model_server import ModelServer
from tests.server.calls.conftest import MESSAGES, call_body

RECORDS = "/api/v1/call-records"
ANSWER = "<request>问价</request><key_information>2980元</key_information><outcome>再联系</outcome>"
OVERLOADED = Body('{"error": {"message": "overloaded", "code": 503}}')
TRIED_AGAIN = [
    Status(429),
    Status(500),
    Status(503),
    Delay(5),
    CutStream(),
    CutStream(quietly=True),
    MalformedJson(),
    OVERLOADED,
]
NOT_TRIED_AGAIN = [Status(400), Status(401), Status(404)]


@pytest.fixture(params=["openai", "qwen", "google_genai"])
async def service(
    request: pytest.FixtureRequest,
    database_url: str,
    tmp_path: Path,
    models: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Service]:
    monkeypatch.setattr(attempts, "_BACKOFF", wait_none())
    environ = models.environment(provider=request.param, roles=["summary"]) | {"MODEL_SUMMARY_TIMEOUT_SECONDS": "0.4"}
    async with running_service(database_url, tmp_path, environ) as service:
        yield service


@pytest.fixture
async def call(user: httpx.AsyncClient) -> str:
    agent = (await user.post("/api/v1/agents", json={"name": "智能客服"})).json()["data"]["id"]
    call = (await user.post(RECORDS, json=call_body(agent))).json()["data"]["id"]
    await user.patch(f"{RECORDS}/{call}", json={"messages": MESSAGES})
    return str(call)


async def summarise(user: httpx.AsyncClient, call: str) -> tuple[int, str | None]:
    """Ask for the summary; give the status, and the code or None. What a failure stores is nothing."""
    response = await user.post(f"{RECORDS}/{call}/generate-summary")
    stored = (await user.get(f"{RECORDS}/{call}")).json()["data"]["summary"]
    assert (stored is not None) == (response.status_code == 200)
    return response.status_code, response.json().get("error", {}).get("code")


async def noted(service: Service) -> list[bool]:
    """Whether each model call that was recorded had failed, in order."""
    async with service.runtime.system.pool.connection() as connection:
        rows = await (await connection.execute("SELECT failed FROM platform.usage ORDER BY id")).fetchall()
    return [row["failed"] for row in rows]


@pytest.mark.parametrize("fault", TRIED_AGAIN, ids=str)
async def test_passing_faults(
    service: Service, user: httpx.AsyncClient, call: str, models: ModelServer, fault: Any
) -> None:
    models.script("summary", fault)
    assert await summarise(user, call) == (502, "SUMMARY_FAILED")
    assert models.calls("summary") == 3
    models.script("summary", fault, ANSWER)
    assert await summarise(user, call) == (200, None)
    assert models.calls("summary") == 5
    assert await noted(service) == [True, True, True, True, False]


@pytest.mark.parametrize("fault", NOT_TRIED_AGAIN, ids=str)
async def test_lasting_faults(
    service: Service, user: httpx.AsyncClient, call: str, models: ModelServer, fault: Any
) -> None:
    models.script("summary", fault, ANSWER)
    assert await summarise(user, call) == (502, "SUMMARY_FAILED")
    assert models.calls("summary") == 1
    assert await summarise(user, call) == (200, None)
    assert await noted(service) == [True, False]


async def test_slow_tokens_are_no_fault(
    service: Service, user: httpx.AsyncClient, call: str, models: ModelServer
) -> None:
    models.script("summary", SlowTokens(ANSWER, 0.1))
    assert await summarise(user, call) == (200, None)
    assert await noted(service) == [False]
