"""Scenarios T02 to T04 with the workflows themselves, over HTTP and the vendors' wire."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.kit.app import Service, running_service
from tests.kit.model_faults import Status
from tests.kit.model_protocols import ModelRequest
from tests.kit.model_server import ModelServer
from tests.server.audio.conftest import OUR_SKILLS, SESSIONS, Owner, data_of, files_in, refusal, rows
from tests.skills.making import put, text

ROLES = ["transcribe", "review", "scene", "strategy", "fuse", "image"]
EXAMPLES = Path(__file__).parent.parent.parent.parent / "examples" / "audio" / "recordings"
HEARD = json.dumps(
    {
        "segments": [
            {"speaker": "Speaker_0", "start": 0.2, "end": 1.2, "text": "新版本周五能上吗？"},
            {"speaker": "Speaker_1", "start": 1.4, "end": 2.8, "text": "可能要延期两三天。"},
        ]
    },
    ensure_ascii=False,
)
REVIEWED = json.dumps(
    {
        "summary": "上级问进度，下属说要延期。",
        "conversation_summary": "新版本延期",
        "mood_score": 45,
        "risks": [{"level": "low", "text": "没有给出日期", "quote": "可能要延期两三天"}],
        "speakers": {"Speaker_0": "上级", "Speaker_1": "下属"},
        "tags": ["进度"],
    },
    ensure_ascii=False,
)
SCENE = '{"scene_category": "workplace", "scene_confidence": "92%"}'


def advice(title: str, **more: Any) -> dict[str, Any]:
    return {
        "title": title,
        "insight": f"{title}的由来",
        "advice": f"{title}。" + title * 3,
        "script": "",
        "quotes": ["可能要延期两三天。"],
        "picture": f"{title}的画面",
        **more,
    }


def advised(*items: dict[str, Any]) -> str:
    return json.dumps({"advices": list(items)}, ensure_ascii=False)


def by_skill(request: ModelRequest) -> str:
    """One answer a skill: bodies of ours say which they are."""
    return advised(advice("结论在前" if "先说结论的教练" in str(request) else "给出选择"))


def png() -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 20, 20)).save(output, "PNG")
    return output.getvalue()


@pytest.fixture
def scripted(models: ModelServer) -> ModelServer:
    models.script("transcribe", HEARD)
    models.script("review", REVIEWED)
    models.script("scene", SCENE)
    models.script("strategy", by_skill)
    fused = advice("先说结论", skills=["workplace-a"]), advice("再给选择", skills=["workplace-b", "workplace-a"])
    models.script("fuse", advised(*fused))
    models.script("image", png())
    return models


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "skills"
    folder.mkdir()
    for name, priority, enabled, body in [
        ("workplace-a", 10, "true", "# 甲\n\n先说结论的教练。"),
        ("workplace-b", 5, "true", "# 乙\n\n给出选择的教练。"),
        ("workplace-c", 1, "false", "# 丙\n\n不在的教练。"),
    ]:
        put(folder, name, text(name, body=body, priority=str(priority), enabled=enabled))
    return folder


@pytest.fixture
async def service(database_url: str, tmp_path: Path, scripted: ModelServer, shelf: Path) -> AsyncIterator[Service]:
    environ = scripted.environment(provider="openai", roles=ROLES)
    environ |= {"SKILLS_DIR": str(shelf), "RATE_LIMIT_UPLOADS": "100000/minute", "MODEL_MAX_ATTEMPTS": "1"}
    async with running_service(database_url, tmp_path / "data", environ) as service:
        yield service


class TestT02:
    async def test_recording_to_fused_strategy_with_pictures(
        self, service: Service, owner: Owner, scripted: ModelServer
    ) -> None:
        session_id = await owner.uploaded()
        ended = await owner.ended(session_id)
        assert (ended["status"], ended["progress"], ended["failureReason"]) == ("completed", 100, None)
        detail = data_of(await owner.get(session_id))
        assert detail["speaker_count"] == 2
        assert detail["analysis"]["summary"] == "上级问进度，下属说要延期。"
        assert detail["analysis"]["speaker_mapping"] == {"Speaker_0": "上级", "Speaker_1": "下属"}
        data = data_of(await owner.strategy(session_id))
        assert (data["scene_category"], data["scene_confidence"]) == ("workplace", 0.92)
        assert data["applied_skills"] == ["workplace-a", "workplace-b"]
        assert [one["title"] for one in data["strategies"]] == ["先说结论", "再给选择"]
        assert [one["status"] for one in data["visual_data"]] == ["completed", "completed"]
        assert "key" not in data["visual_data"][0]
        executions = await rows(service, "SELECT * FROM audio.skill_executions ORDER BY skill_id")
        assert [(one["skill_id"], one["success"], one["confidence_score"]) for one in executions] == [
            ("workplace-a", True, 0.92),
            ("workplace-b", True, 0.92),
        ]
        assert all(one["execution_time_ms"] >= 0 for one in executions)
        assert len(await rows(service, "SELECT id FROM audio.strategy_analysis")) == 1
        assert (scripted.calls("strategy"), scripted.calls("fuse"), scripted.calls("scene")) == (2, 1, 1)
        assert len(files_in(service, "pictures")) == 2
        assert await rows(service, "SELECT key FROM audio.abandoned_files") == []
        before = {role: scripted.calls(role) for role in ROLES}
        assert data_of(await owner.strategy(session_id)) == data
        assert {role: scripted.calls(role) for role in ROLES} == before

    async def test_the_scene_alone(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        response = await owner.client.post(f"{SESSIONS}/{session_id}/classify-scene")
        assert data_of(response) == {"scene_category": "workplace", "scene_confidence": 0.92}
        assert await rows(service, "SELECT id FROM audio.strategy_analysis") == []
        assert scripted.calls("strategy") == 0


class TestT03:
    async def test_a_model_that_fails_and_recovers(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("transcribe", Status(503))
        session_id = await owner.uploaded()
        ended = await owner.ended(session_id)
        assert ended["status"] == "failed"
        assert ended["failureReason"]
        assert "scripted" not in ended["failureReason"]
        [row] = await rows(service, "SELECT error_message FROM audio.sessions")
        assert row["error_message"] == ended["failureReason"]
        assert refusal(await owner.strategy(session_id)) == 409
        assert len(files_in(service, "recordings")) == 1
        scripted.script("transcribe", HEARD)
        data_of(await owner.client.post(f"{SESSIONS}/{session_id}/retry"))
        assert (await owner.ended(session_id))["status"] == "completed"

    async def test_one_skill_of_two_fails(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        def only_first(request: ModelRequest) -> Any:
            return by_skill(request) if "先说结论的教练" in str(request) else Status(503)

        session_id = await owner.analysed()
        scripted.script("strategy", only_first)
        data = data_of(await owner.strategy(session_id))
        assert data["applied_skills"] == ["workplace-a"]
        executions = await rows(service, "SELECT skill_id, success FROM audio.skill_executions ORDER BY skill_id")
        assert [one["success"] for one in executions] == [True, False]


class TestT04:
    async def test_segments(self, service: Service, owner: Owner) -> None:
        session_id = await owner.analysed()
        data = data_of(await owner.extract(session_id, 0.5, 1.5))
        assert (data["duration"], bool(data["audio_url"])) == (1.0, True)
        listed = data_of(await owner.get(session_id, "/audio-segments"))["segments"]
        assert [one["start_time"] for one in listed] == [0.2, 0.5, 1.4]
        assert [one["text"] for one in listed] == ["新版本周五能上吗？", "", "可能要延期两三天。"]


class TestOffline:
    """Without a key: a transcript is brought, rules do the rest, and they say so."""

    @pytest.fixture
    async def service(self, database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
        environ = {"RATE_LIMIT_UPLOADS": "1000/minute", **OUR_SKILLS}
        async with running_service(database_url, tmp_path / "data", environ) as service:
            yield service

    async def test_an_example_with_its_transcript(self, service: Service, owner: Owner) -> None:
        content = (EXAMPLES / "release-is-late.mp3").read_bytes()
        session_id = await owner.analysed(
            content=content, name="release-is-late.mp3", transcript=(EXAMPLES / "release-is-late.vtt").read_bytes()
        )
        response = await owner.strategy(session_id)
        data = data_of(response)
        assert response.headers["x-colloquy-model"] == "offline"
        assert data["scene_category"] == "workplace"
        assert data["strategies"]
        assert {one["status"] for one in data["visual_data"]} == {"completed"}

    async def test_without_one_it_says_what_is_missing(self, service: Service, owner: Owner) -> None:
        ended = await owner.ended(await owner.uploaded())
        assert ended["status"] == "failed"
        assert "转写" in ended["failureReason"]
