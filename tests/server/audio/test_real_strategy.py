"""The family with the strategy workflow that is served, over the run engine: T02 whole, and the same offline."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.graphs.audio_setting import FUSED, TITLES, advice, answered, png
from tests.graphs.recording_setting import EXAMPLES, REVIEW
from tests.kit.app import Service, running_service
from tests.kit.model_faults import Status
from tests.kit.model_protocols import ModelRequest
from tests.kit.model_server import ModelServer
from tests.server.audio.conftest import OUR_SKILLS, ROOT, SESSIONS, Owner, data_of, environment, rows
from tests.skills.making import put, text

REAL = str(ROOT / "langgraph.json")
SPOKEN = "WEBVTT\n\n00:00.500 --> 00:01.500\n<v 李经理>周五能上吗？\n\n00:01.600 --> 00:02.800\n<v 小何>要延期两天。\n"
RELEASE = (EXAMPLES / "release-is-late.mp3").read_bytes()
RELEASE_SPOKEN = (EXAMPLES / "release-is-late.vtt").read_bytes()


def coach(request: ModelRequest) -> str:
    return next(answered(advice(title)) for skill, title in TITLES.items() if f"# {skill}" in request.system)


@pytest.fixture
def skills(tmp_path: Path) -> Path:
    """T02's skills, in a directory of their own."""
    folder = tmp_path / "skills"
    folder.mkdir()
    for skill, priority, enabled in (
        ("workplace-a", 10, "true"),
        ("workplace-b", 5, "true"),
        ("workplace-c", 1, "false"),
    ):
        body = f"# {skill}\n\n先听，再说。"
        put(folder, skill, text(skill, body=body, priority=f'"{priority}"', enabled=f'"{enabled}"'))
    return folder


@pytest.fixture
async def service(database_url: str, tmp_path: Path, models: ModelServer, skills: Path) -> AsyncIterator[Service]:
    models.script("review", REVIEW)
    models.script("scene", '{"scene_category":"workplace","scene_confidence":"92%"}')
    models.script("strategy", coach)
    models.script("fuse", FUSED)
    models.script("image", png())
    chosen = environment(models, COLLOQUY_CONFIG=REAL, MODEL_IMAGE="openai:image", SKILLS_DIR=str(skills))
    async with running_service(database_url, tmp_path / "data", chosen) as service:
        yield service


@pytest.fixture
async def coached(service: Service, wav: bytes) -> tuple[Owner, str]:
    owner = Owner(await service.as_user(), wav)
    return owner, await owner.analysed(transcript=SPOKEN.encode())


async def test_a_recording_to_a_fused_strategy_with_pictures(
    service: Service, models: ModelServer, coached: tuple[Owner, str]
) -> None:
    """T02."""
    owner, session_id = coached
    data = data_of(await owner.strategy(session_id))
    assert (data["scene_category"], data["scene_confidence"]) == ("workplace", 0.92)
    assert data["applied_skills"] == ["workplace-a", "workplace-b"]
    assert [one["quotes"] for one in data["strategies"]] == [["周五能上吗？"], ["周五能上吗？"]]
    ran = await rows(service, "SELECT * FROM audio.skill_executions ORDER BY skill_id")
    assert [(one["skill_id"], one["success"], one["confidence_score"]) for one in ran] == [
        ("workplace-a", True, 0.92),
        ("workplace-b", True, 0.92),
    ]
    assert all(one["execution_time_ms"] >= 0 for one in ran)
    assert len(await rows(service, "SELECT * FROM audio.strategy_analysis")) == 1
    asked = {role: models.calls(role) for role in ("scene", "strategy", "fuse", "image")}
    assert asked == {"scene": 1, "strategy": 2, "fuse": 1, "image": 2}
    for index in (0, 1):
        picture = await owner.client.get(f"/api/v1/images/{session_id}/{index}")
        assert (picture.status_code, picture.headers["content-type"], picture.content) == (200, "image/png", png())
    assert (await owner.client.get(f"/api/v1/images/{session_id}/9")).status_code == 404
    assert data_of(await owner.strategy(session_id)) == data
    assert {role: models.calls(role) for role in asked} == asked
    used = await rows(service, "SELECT role, model FROM platform.usage WHERE role = 'image'")
    assert [(one["role"], one["model"]) for one in used] == [("image", "openai:image")] * 2


async def test_a_run_that_failed_goes_on_where_it_was(
    service: Service, models: ModelServer, coached: tuple[Owner, str]
) -> None:
    owner, session_id = coached
    models.script("strategy", Status(503))
    assert (await owner.strategy(session_id)).status_code == 502
    ran = await rows(service, "SELECT success, error_message FROM audio.skill_executions")
    assert [(one["success"], one["error_message"]) for one in ran] == [(False, "模型暂时不可用，请稍后再试")] * 2
    models.script("strategy", coach)
    assert data_of(await owner.strategy(session_id))["applied_skills"] == ["workplace-a", "workplace-b"]
    assert models.calls("scene") == 1
    ran = await rows(service, "SELECT success, error_message FROM audio.skill_executions")
    assert [(one["success"], one["error_message"]) for one in ran] == [(True, None)] * 2


async def test_a_scene_alone_writes_nothing(service: Service, coached: tuple[Owner, str]) -> None:
    owner, session_id = coached
    found = data_of(await owner.client.post(f"{SESSIONS}/{session_id}/classify-scene"))
    assert found == {"scene_category": "workplace", "scene_confidence": 0.92}
    assert await rows(service, "SELECT * FROM audio.strategy_analysis") == []


async def test_offline_it_is_made_by_rules_with_cards(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path / "data", {"COLLOQUY_CONFIG": REAL, **OUR_SKILLS}) as service:
        owner = Owner(await service.as_user(), RELEASE)
        session_id = await owner.analysed(name="a.mp3", transcript=RELEASE_SPOKEN)
        response = await owner.strategy(session_id)
        assert response.headers["x-colloquy-model"] == "offline"
        data = data_of(response)
        assert data["applied_skills"] == ["workplace-managing-up", "workplace-collaboration"]
        assert all("离线规则" in one["insight"] for one in data["strategies"])
        assert {one["status"] for one in data["visual_data"]} == {"completed"}
        picture = await owner.client.get(f"/api/v1/images/{session_id}/0")
        assert picture.headers["content-type"] == "image/png"


async def test_a_strangers_picture_is_not_to_be_had_by_a_state_of_ones_own(
    service: Service, coached: tuple[Owner, str], wav: bytes
) -> None:
    """Over LangGraph's protocol a client writes states; the key of a picture is in its signed address."""
    owner, session_id = coached
    data_of(await owner.strategy(session_id))
    [row] = await rows(service, "SELECT visual_data FROM audio.strategy_analysis")
    stranger = Owner(await service.as_user(), wav)
    own = await stranger.analysed(transcript=SPOKEN.encode())
    thread = (await stranger.client.post("/threads", json={"metadata": {"graph_id": "audio_strategy"}})).json()
    values = {
        "session_id": own,
        "strategy_id": str(uuid4()),
        "scene_category": "workplace",
        "scene_confidence": 0.9,
        "applied_skills": [],
        "strategies": [],
        "steps": 8,
        "drafts": [{"title": "x", "insight": "x", "advice": "x", "script": "", "quotes": [], "skills": []}],
        "visual_data": row["visual_data"][:1],
    }
    place = f"/threads/{thread['thread_id']}"
    written = await stranger.client.post(f"{place}/state", json={"values": values, "as_node": "visuals"})
    assert written.status_code == 200, written.text
    service_key = {"assistant_id": "audio_strategy", "input": None, "interrupt_after": ["store"]}
    await stranger.client.post(f"{place}/runs/wait", json=service_key)
    [stored] = await rows(service, "SELECT visual_data FROM audio.strategy_analysis WHERE session_id = :id", id=own)
    assert [(one["status"], "key" in one) for one in stored["visual_data"]] == [("pending", False)]
    assert (await stranger.client.get(f"/api/v1/images/{own}/0")).status_code == 404
    data_of(await stranger.client.delete(f"{SESSIONS}/{own}"))
    assert (await owner.client.get(f"/api/v1/images/{session_id}/0")).status_code == 200
