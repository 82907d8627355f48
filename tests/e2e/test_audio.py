"""A recording whose server is killed with -9: the analysis, and later the strategy, end all the same (T03, X021)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_serve import client_of, until
from tests.kit.directories import crossable
from tests.kit.model_faults import Delay
from tests.kit.model_server import ModelServer
from tests.kit.processes import ROOT, environment, served

RECORDINGS = ROOT / "examples" / "audio" / "recordings"
SCENE = '{"scene_category": "workplace", "scene_confidence": 0.9}'
REVIEW = {
    "summary": "上级问进度，下属说要延期。",
    "conversation_summary": "新版本延期",
    "mood_score": 45,
    "risks": [],
    "speakers": {},
    "tags": ["进度"],
}

ADVICE = {"title": "先说", "insight": "急", "advice": "先说结论", "script": "", "quotes": [], "picture": "桌"}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with crossable() as path:
        yield path / "data"


def data_of(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["data"]


def upload(client: httpx.Client) -> str:
    """Upload a recording with its transcript; give the session's path."""
    files = {
        "file": ("a.mp3", (RECORDINGS / "release-is-late.mp3").read_bytes()),
        "transcript": ("a.vtt", (RECORDINGS / "release-is-late.vtt").read_bytes()),
    }
    return f"/tasks/sessions/{data_of(client.post('/audio/upload', files=files))['session_id']}"


def is_analysed(client: httpx.Client, session: str) -> bool:
    return bool(data_of(client.get(f"{session}/status"))["status"] == "completed")


def test_an_analysis_outlives_its_server(data_dir: Path, tmp_path: Path, database_url: str) -> None:
    with ModelServer() as models:
        models.script("review", Delay(60, "late"), json.dumps(REVIEW, ensure_ascii=False))
        environ = environment(data_dir, DATABASE_URL=database_url)
        environ |= models.environment(provider="openai", roles=["review"])
        with served(environ, tmp_path / "first.log") as first, client_of(first, data_dir) as client:
            session = upload(client)
            until(lambda: models.calls("review") == 1)
            first.kill()
        with served(environ, tmp_path / "second.log") as second, client_of(second, data_dir) as client:
            # 10 s are promised; a busy machine is given more.
            until(lambda: is_analysed(client, session), 30)
            assert data_of(client.get(session))["analysis"]["summary"] == REVIEW["summary"]
            assert models.calls("review") == 2
            assert second.stop() == 0


def test_a_strategy_outlives_its_server(data_dir: Path, tmp_path: Path, database_url: str) -> None:
    """T03: the process is killed after the scene, which nobody pays for twice."""
    with ModelServer() as models:
        hangs = True
        advices = json.dumps({"advices": [ADVICE]}, ensure_ascii=False)
        models.script("scene", SCENE)
        models.script("strategy", lambda _: Delay(60, "late") if hangs else advices)
        models.script("fuse", advices)
        environ = environment(data_dir, DATABASE_URL=database_url)
        environ |= models.environment(provider="openai", roles=["scene", "strategy", "fuse"])
        with served(environ, tmp_path / "first.log") as first, client_of(first, data_dir) as client:
            session = upload(client)
            until(lambda: is_analysed(client, session), 30)
            with client.stream("POST", f"{session}/strategies", params={"stream": "true"}) as response:
                assert next(response.iter_lines())
                until(lambda: models.calls("strategy") >= 1)
                first.kill()
        hangs = False
        with served(environ, tmp_path / "second.log") as second, client_of(second, data_dir) as client:
            strategy = data_of(client.post(f"{session}/strategies"))
            assert strategy["scene_category"] == "workplace"
            assert [one["title"] for one in strategy["strategies"]] == ["先说"]
            assert models.calls("scene") == 1
            assert data_of(client.get(session))["strategy"] == strategy
            assert second.stop() == 0
