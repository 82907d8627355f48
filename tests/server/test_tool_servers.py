"""Plugged-in tool servers in a running service: nobody waits for them, and operators see how they are."""

import asyncio
import time
from pathlib import Path

import orjson
import pytest
from prometheus_client import REGISTRY

from core.settings import Settings, SettingsError
from server.runtime import preflight
from tests.kit.app import running_service
from tests.kit.tool_servers import FaultServer
from tests.kit.waiting import gone


async def test_a_service_with_a_dead_tool_server_is_well_and_says_so(database_url: str, tmp_path: Path) -> None:
    faults = FaultServer(tmp_path / "faults")
    servers = {
        "well": faults.config(),
        "dead": {"command": "/no/such/program"},
        "mute": faults.config(env={"MODE": "mute"}),
    }
    environ = {"MCP_SERVERS": orjson.dumps({"mcpServers": servers}).decode()}
    async with running_service(database_url, tmp_path, environ) as service:
        began = time.monotonic()
        assert (await service.client.get("/health")).status_code == 200
        assert time.monotonic() - began < 1
        async with asyncio.timeout(20):
            result = await service.runtime.hub.call("add", {"a": 1, "b": 2}, call_id="1")
            await service.runtime.hub.call("fail", {}, call_id="2")
        health = (await service.client.get("/health")).json()
        assert health["status"] == "ok"
        assert health["dependencies"]["mcp"] == {"well": "ok", "dead": "down", "mute": "down"}
        metrics = (await service.client.get("/metrics")).text
    assert getattr(result, "text", "") == "3"
    assert 'colloquy_tool_server_up{server="well"} 1.0' in metrics
    assert 'colloquy_tool_server_up{server="dead"} 0.0' in metrics
    assert 'colloquy_tool_server_breaker{server="well"} 0.0' in metrics
    assert 'colloquy_tool_calls_total{outcome="ok",server="well",tool="add"} 1.0' in metrics
    labels = {"server": "well", "tool": "fail", "outcome": "tool_error"}
    assert REGISTRY.get_sample_value("colloquy_tool_calls_total", labels) == 1
    assert all(gone(pid) for pid in faults.pids())


def test_a_server_that_is_not_described_as_it_must_be_stops_the_start() -> None:
    settings = Settings.load({"MCP_SERVERS": '{"mcpServers": {"a": {}}}'}, dotenv=None)
    with pytest.raises(SettingsError, match="MCP_SERVERS: a: needs either command or url"):
        preflight(settings)
