"""Audio strategy on the real server: what a crash costs a recording (X003, X010, T02, T03)."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.graphs.audio_setting import advice, answered
from tests.graphs.recording_setting import EXAMPLES, REVIEW, spoken_in
from tests.kit.model_faults import Delay
from tests.kit.model_protocols import ModelRequest
from tests.kit.model_server import ModelServer
from tests.kit.processes import QUICK_BEATS, Program, environment, served

ROLES = ["transcribe", "review", "scene", "strategy", "fuse"]
SESSIONS = "/api/v1/tasks/sessions"
SECONDS = 60.0
# Longer than the process lives that asked.
HANGS = 90.0
FUSED = answered(
    advice("先说日子", quotes=["我初二才能走"], skills=["workplace-managing-up"]),
    advice("报个平安", quotes=["我不放心"], skills=["workplace-collaboration"]),
)


@dataclass
class House:
    """One data directory, whose server may die and be started again."""

    data: Path
    logs: Path
    models: ModelServer

    @contextmanager
    def served(self, name: str) -> Iterator[tuple[Program, httpx.Client]]:
        chosen = self.models.environment(provider="openai", roles=ROLES)
        environ = environment(self.data, **chosen, MODEL_IMAGE="offline") | QUICK_BEATS
        with served(environ, self.logs / f"{name}.log") as program:
            key = (self.data / "api-key").read_text().strip()
            headers = {"authorization": f"Bearer {key}"}
            with httpx.Client(base_url=program.address, headers=headers, timeout=90) as client:
                yield program, client

    def calls(self) -> dict[str, int]:
        return {role: self.models.calls(role) for role in ROLES}


@pytest.fixture
def house(data_dir: Path, tmp_path: Path) -> Iterator[House]:
    with ModelServer() as models:
        models.script("transcribe", spoken_in("home-for-new-year"))
        models.script("review", REVIEW)
        models.script("scene", json.dumps({"scene_category": "workplace", "scene_confidence": 0.9}))
        models.script("strategy", lambda request: answered(advice(_skill(request), quotes=["我不放心"])))
        models.script("fuse", FUSED)
        yield House(data_dir, tmp_path, models)


def _skill(request: ModelRequest) -> str:
    return "管理上级" if "# 和上级说清楚" in request.system else "协作"


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("it does not come")


def data_of(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["data"]


def upload(client: httpx.Client) -> str:
    recording = EXAMPLES / "home-for-new-year.m4a"
    uploaded = client.post("/api/v1/audio/upload", files={"file": (recording.name, recording.read_bytes())})
    return str(data_of(uploaded)["session_id"])


def completed(client: httpx.Client, session_id: str, rest: str) -> Any:
    def found() -> Any:
        state = data_of(client.get(f"{SESSIONS}/{session_id}{rest}"))
        assert state["status"] != "failed", state
        return state if state["status"] == "completed" else None

    return until(found)


def files_in(house: House) -> list[str]:
    storage = house.data / "storage"
    return sorted(path.relative_to(storage).parts[0] for path in storage.rglob("*") if path.is_file())


@pytest.mark.timeout(240)
def test_a_crash_while_a_recording_is_analysed(house: House) -> None:
    house.models.script("review", Delay(HANGS))
    with house.served("first") as (first, client):
        session_id = upload(client)
        until(lambda: house.models.calls("review"))
        state = data_of(client.get(f"{SESSIONS}/{session_id}/status"))
        assert state["status"] == "analyzing"
        first.kill()
    house.models.script("review", REVIEW)
    with house.served("second") as (_second, client):
        assert completed(client, session_id, "/status")["progress"] == 100
        detail = data_of(client.get(f"{SESSIONS}/{session_id}"))
        assert detail["analysis"]["summary"] == json.loads(REVIEW)["summary"]
        # What was heard is not paid for again; the call that the crash broke off is made once more.
        assert house.calls() | {"scene": 0} == {"transcribe": 1, "review": 2, "scene": 0, "strategy": 0, "fuse": 0}
        assert files_in(house) == ["recordings"]


@pytest.mark.timeout(240)
def test_a_crash_while_a_strategy_is_made(house: House) -> None:
    with house.served("first") as (first, client):
        session_id = upload(client)
        completed(client, session_id, "/status")
        asked = threading.Thread(target=_ignoring_the_end, args=(client, session_id))
        # One skill's advice is there, the other's is on its way.
        house.models.script("strategy", _one_hangs)
        asked.start()
        until(lambda: house.models.calls("strategy") == 2 and _advised(client, session_id))
        # What a step gave is committed a tenth of a second later at the latest.
        time.sleep(1)
        first.kill()
        asked.join()
    house.models.script("strategy", lambda request: answered(advice(_skill(request), quotes=["我不放心"])))
    with house.served("second") as (_second, client):
        strategy = completed(client, session_id, "/strategies")["strategy"]
        assert strategy["applied_skills"] == ["workplace-collaboration", "workplace-managing-up"]
        assert [one["title"] for one in strategy["strategies"]] == ["先说日子", "报个平安"]
        assert {one["status"] for one in strategy["visual_data"]} == {"completed"}
        for visual in strategy["visual_data"]:
            assert client.get(visual["image_url"]).content.startswith(b"\x89PNG")
        # Asked again, it is what is stored.
        assert data_of(client.post(f"{SESSIONS}/{session_id}/strategies")) == strategy
        assert house.calls() == {"transcribe": 1, "review": 1, "scene": 1, "strategy": 3, "fuse": 1}
        skills = [_skill(request) for request in house.models.requests("strategy")]
        assert (skills.count("管理上级"), skills.count("协作")) == (1, 2)
        assert files_in(house) == ["pictures"] * len(strategy["visual_data"]) + ["recordings"]


def _one_hangs(request: ModelRequest) -> Any:
    answer = answered(advice(_skill(request), quotes=["我不放心"]))
    return Delay(HANGS) if _skill(request) == "协作" else answer


def _advised(client: httpx.Client, session_id: str) -> bool:
    """Whether a skill's execution is stored, by which its answer is kept."""
    found = data_of(client.get("/api/v1/skills/workplace-managing-up/executions"))
    return bool(found["executions"])


def _ignoring_the_end(client: httpx.Client, session_id: str) -> None:
    with suppress(httpx.TransportError):
        client.post(f"{SESSIONS}/{session_id}/strategies")
