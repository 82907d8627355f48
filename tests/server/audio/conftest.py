"""The application with the audio workflows' stand-ins and scripted models."""

import asyncio
import json
from array import array
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from skills.catalog import SKILLS
from tests.kit import recordings
from tests.kit.app import Service, running_service
from tests.kit.model_server import ModelServer

ROOT = Path(__file__).parent.parent.parent.parent
PROJECT = ROOT / "tests" / "projects" / "audio" / "langgraph.json"
OUR_SKILLS = {"SKILLS_DIR": str(SKILLS)}
ROLES = ["transcribe", "review", "scene", "strategy", "fuse"]
UPLOAD = "/api/v1/audio/upload"
SESSIONS = "/api/v1/tasks/sessions"
SCENE = '{"scene_category": "workplace", "scene_confidence": 0.92}'
VTT = b"WEBVTT\n\n00:00.500 --> 00:01.500\n<v \xe8\x80\x81\xe6\x9d\xbf>\xe5\xbf\xab\xe7\x82\xb9\n"


def environment(models: ModelServer, **more: str) -> dict[str, str]:
    chosen = models.environment(provider="openai", roles=ROLES)
    generous = {"RATE_LIMIT_UPLOADS": "100000/minute", "MODEL_MAX_ATTEMPTS": "1"}
    generous["MAX_RECORDING_BYTES"] = str(8 * 1024 * 1024)
    return chosen | generous | {"COLLOQUY_CONFIG": str(PROJECT)} | OUR_SKILLS | more


@pytest.fixture
async def service(database_url: str, tmp_path: Path, scripted: ModelServer) -> AsyncIterator[Service]:
    async with running_service(database_url, tmp_path / "data", environment(scripted)) as service:
        yield service


@pytest.fixture
def scripted(models: ModelServer) -> ModelServer:
    models.script("transcribe", "Speaker_0|0.5|1.5|快点\nSpeaker_1|1.6|2.8|好的，明天")
    models.script("review", "老板催进度。")
    models.script("scene", SCENE)
    models.script("strategy", "先回应时间")
    models.script("fuse", "画好了")
    return models


@pytest.fixture(scope="session")
def wav(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three seconds with pulses at 1.0 and 2.0."""
    path = tmp_path_factory.mktemp("audio") / "three.wav"
    return recordings.write(path, "wav", recordings.pulses(3.0, 44_100, [1.0, 2.0])).read_bytes()


@dataclass
class Owner:
    """Somebody who uploads."""

    client: httpx.AsyncClient
    wav: bytes

    async def upload(
        self,
        content: bytes | None = None,
        name: str = "会议.wav",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        files = {"file": (name, self.wav if content is None else content)}
        if "transcript" in more:
            files["transcript"] = ("t.vtt", more.pop("transcript"))
        return await self.client.post(UPLOAD, files=files, data=more, headers=headers)

    async def uploaded(self, **more: Any) -> str:
        response = await self.upload(**more)
        assert response.status_code == 200, response.text
        return str(response.json()["data"]["session_id"])

    async def analysed(self, **more: Any) -> str:
        session_id = await self.uploaded(**more)
        assert (await self.ended(session_id))["status"] == "completed"
        return session_id

    async def status(self, session_id: str) -> dict[str, Any]:
        found: dict[str, Any] = data_of(await self.client.get(f"{SESSIONS}/{session_id}/status"))
        return found

    async def ended(self, session_id: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while (found := await self.status(session_id))["status"] in ("pending", "analyzing"):
                await asyncio.sleep(0.02)
        return found

    async def strategy(self, session_id: str, **more: Any) -> httpx.Response:
        return await self.client.post(f"{SESSIONS}/{session_id}/strategies", **more)

    async def get(self, session_id: str, rest: str = "", **more: Any) -> httpx.Response:
        return await self.client.get(f"{SESSIONS}/{session_id}{rest}", **more)

    async def extract(self, session_id: str, start: Any, end: Any, speaker: Any = "Speaker_0") -> httpx.Response:
        body = {"start_time": start, "end_time": end, "speaker": speaker}
        return await self.client.post(f"{SESSIONS}/{session_id}/extract-segment", json=body)


@pytest.fixture
async def owner(service: Service, wav: bytes) -> Owner:
    return Owner(await service.as_user(), wav)


@pytest.fixture
async def other(service: Service, wav: bytes) -> Owner:
    return Owner(await service.as_user(), wav)


def data_of(response: httpx.Response) -> Any:
    """Check the envelope to the last key; give the data."""
    assert response.status_code == 200, response.text
    body = response.json()
    assert list(body) == ["code", "message", "data"]
    assert (body["code"], body["message"]) == (200, "success")
    return body["data"]


def refusal(response: httpx.Response) -> int:
    """Check the family's error shape: one sentence; give the status."""
    assert list(response.json()) == ["detail"]
    assert isinstance(response.json()["detail"], str)
    assert response.json()["detail"]
    return response.status_code


async def rows(service: Service, statement: str, **values: Any) -> list[Any]:
    """Read as the system role, which sees all."""
    async with service.runtime.system.transaction() as session:
        return [dict(row) for row in (await session.execute(text(statement), values)).mappings()]


def files_in(service: Service, folder: str = "") -> list[Path]:
    """Return the stored files."""
    root = service.runtime.settings.data_dir / "storage" / folder
    return sorted(path for path in root.rglob("*") if path.is_file())


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def events_of(body: str) -> list[tuple[str, Any]]:
    """Read a stream: event and data."""
    found = []
    for block in body.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def silence(seconds: float, rate: int = 8_000) -> "array[int]":
    return array("h", bytes(2 * int(seconds * rate)))
