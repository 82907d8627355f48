from typing import Any

import httpx
import pytest

MESSAGES = [
    {"role": "assistant", "content": "您好，我是AI助手", "timestamp": 1699430400},
    {"role": "user", "content": "你好", "timestamp": 1699430405},
]


@pytest.fixture
async def agent(user: httpx.AsyncClient) -> str:
    response = await user.post("/api/v1/agents", json={"name": "智能客服"})
    return str(response.json()["data"]["id"])


@pytest.fixture
async def call(user: httpx.AsyncClient, agent: str) -> str:
    response = await user.post("/api/v1/call-records", json=call_body(agent))
    return str(response.json()["data"]["id"])


@pytest.fixture
async def talked(user: httpx.AsyncClient, call: str) -> str:
    await user.patch(f"/api/v1/call-records/{call}", json={"messages": MESSAGES})
    return call


def call_body(agent: str, **changes: Any) -> dict[str, Any]:
    return {
        "agent_id": agent,
        "caller_name": "张三",
        "caller_app": "微信",
        "start_time": "2025-11-08T10:00:00Z",
    } | changes


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Check the family's error shape to the last key; give the status and the code."""
    body = response.json()
    assert set(body) == {"success", "error"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"]
    return response.status_code, body["error"]["code"]
