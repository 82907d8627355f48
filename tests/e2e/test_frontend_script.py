"""The seed's test script against the real server, with its stand-in models (D041)."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.model_server import ModelServer
from tests.kit.processes import ROOT, environment, served
from tests.server.chat.test_real_graph import script

ROLES = ["fast", "deep", "intent", "planning", "analysis", "content_generation", "evaluation", "narrative"]


def run(address: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "test_frontend_api.py"), "--base-url", address, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.timeout(240)
def test_all_cases_pass_and_a_wrong_server_is_noticed(data_dir: Path, tmp_path: Path) -> None:
    with ModelServer() as models:
        script(models)
        settings = models.environment(provider="openai", roles=ROLES) | {"CHAT_SESSION_TTL_SECONDS": "2"}
        with served(environment(data_dir, **settings), tmp_path / "log") as server:
            done = run(server.address, "--ttl", "2")
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout.count("passed  ") == 5
            assert "440 after 2 s" in done.stdout
            models.script("planning", "")
            failed = run(server.address)
            assert failed.returncode == 1
            assert failed.stdout.count("FAILED  ") == 2


def test_no_server_is_a_failure() -> None:
    done = run("http://127.0.0.1:1")
    assert done.returncode == 1
    assert "FAILED  session init" in done.stdout


@pytest.mark.timeout(240)
def test_with_a_login(data_dir: Path, tmp_path: Path) -> None:
    with ModelServer() as models:
        script(models)
        settings = models.environment(provider="openai", roles=ROLES) | {"FRONTEND_AUTH": "token"}
        with served(environment(data_dir, **settings), tmp_path / "log") as server:
            key = (data_dir / "api-key").read_text()
            assert run(server.address, "--token", key).returncode == 0
            assert run(server.address).returncode == 1
