"""`colloquy serve` as its users start it: its own PostgreSQL, the offline model, a crash, a restart."""

import time
from pathlib import Path
from typing import Any

import httpx

from tests.kit.model_faults import Delay
from tests.kit.model_server import ModelServer
from tests.kit.processes import QUICK_BEATS, Program, environment, free_port, program, served

TURNS = [
    {"role": "assistant", "content": "您好，请问有什么可以帮您？", "timestamp": 1762596000},
    {"role": "user", "content": "我想问一下专业版一年多少钱？", "timestamp": 1762596010},
    {"role": "assistant", "content": "专业版一年2980元。", "timestamp": 1762596020},
    {"role": "user", "content": "好的，我明天再联系你们。", "timestamp": 1762596030},
]


def client_of(running: Program, data_dir: Path) -> httpx.Client:
    key = (data_dir / "api-key").read_text()
    return httpx.Client(base_url=running.address + "/api/v1", headers={"x-api-key": key}, timeout=30)


def record(client: httpx.Client) -> str:
    agent = client.post("/agents", json={"name": "智能客服"}).json()["data"]["id"]
    body = {"agent_id": agent, "caller_name": "张三", "start_time": "2025-11-08T10:00:00Z"}
    created = client.post("/call-records", json=body).json()["data"]["id"]
    client.patch(f"/call-records/{created}", json={"messages": TURNS})
    return str(created)


def test_first_light_and_the_morning_after(no_data_dir: Path, tmp_path: Path) -> None:
    """From an empty directory to a stored summary; kill -9; a new process has all of it."""
    environ = environment(no_data_dir)
    with served(environ, tmp_path / "first.log") as first:
        printed = first.printed()
        assert first.address in printed
        assert (no_data_dir / "api-key").read_text() in printed
        assert (no_data_dir / "api-key").stat().st_mode & 0o777 == 0o600
        assert "offline" in printed
        assert "make demo" in printed
        with client_of(first, no_data_dir) as client:
            call = record(client)
            answer = client.post(f"/call-records/{call}/generate-summary").json()
            assert "专业版一年多少钱" in answer["data"]["summary"]
        first.kill()
    with served(environ, tmp_path / "second.log") as second, client_of(second, no_data_dir) as client:
        assert client.get(f"/call-records/{call}").json()["data"]["summary"] == answer["data"]["summary"]
        assert client.post(f"/call-records/{call}/generate-summary").status_code == 200
        assert second.stop() == 0
    logs = (tmp_path / "first.log").read_text() + (tmp_path / "second.log").read_text()
    assert "专业版" not in logs


def test_a_killed_servers_run_is_finished_by_another_worker(data_dir: Path, tmp_path: Path, database_url: str) -> None:
    with ModelServer() as models:
        models.script(
            "summary",
            Delay(60, "late"),
            "<request>问价</request><key_information>2980元</key_information><outcome>再联系</outcome>",
        )
        port = str(free_port())
        environ = environment(data_dir, DATABASE_URL=database_url, SUMMARY_TIMEOUT_SECONDS="120", METRICS_PORT=port)
        environ |= QUICK_BEATS | models.environment(provider="openai", roles=["summary"])
        with served(environ, tmp_path / "first.log") as first, client_of(first, data_dir) as client:
            call = record(client)
            with client.stream(
                "POST", f"/call-records/{call}/generate-summary", headers={"accept": "text/event-stream"}
            ) as response:
                assert next(response.iter_lines())
                until(lambda: models.calls("summary") == 1)
                first.kill()
        with (
            served(environ, tmp_path / "second.log", "--no-worker") as second,
            client_of(second, data_dir) as client,
            program("-m", "server.cli", "worker", environ=environ, output=tmp_path / "worker.log") as worker,
        ):
            # A busy machine is given more than the three seconds.
            until(lambda: client.get(f"/call-records/{call}").json()["data"]["summary"] is not None, 20)
            shown = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            assert 'colloquy_runs_restarted_total{workflow="call_summary"} 1.0' in shown
            assert httpx.get(f"http://127.0.0.1:{port}/health").json()["status"] == "ok"
            assert worker.stop() == 0
        assert models.calls("summary") == 2


def until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
