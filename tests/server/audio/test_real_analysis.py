"""The family with the analysis that is served (T02, T03): uploads of the examples, over the run engine."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.graphs.recording_setting import EXAMPLES, REVIEW, spoken_in
from tests.kit.app import Service, running_service
from tests.kit.model_faults import Status
from tests.kit.model_server import ModelServer
from tests.server.audio.conftest import ROOT, SESSIONS, Owner, data_of, environment

HOME = (EXAMPLES / "home-for-new-year.m4a").read_bytes()
SPOKEN = (EXAMPLES / "home-for-new-year.vtt").read_bytes()
REAL = str(ROOT / "langgraph.json")


@pytest.fixture
async def service(database_url: str, tmp_path: Path, models: ModelServer) -> AsyncIterator[Service]:
    models.script("transcribe", spoken_in("home-for-new-year"))
    models.script("review", REVIEW)
    async with running_service(database_url, tmp_path, environment(models, COLLOQUY_CONFIG=REAL)) as service:
        yield service


@pytest.fixture
async def offline(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    async with running_service(database_url, tmp_path, {"COLLOQUY_CONFIG": REAL}) as service:
        yield service


async def detail(owner: Owner, session_id: str) -> Any:
    return data_of(await owner.client.get(f"{SESSIONS}/{session_id}"))


async def test_a_recording_is_heard(service: Service, models: ModelServer) -> None:
    owner = Owner(await service.as_user(), HOME)
    found = await detail(owner, await owner.analysed(name="家.m4a"))
    analysis = found["analysis"]
    assert analysis["dialogues"][0]["text"] == "今年过年几号回来？"
    assert analysis["speaker_mapping"] == {"Speaker_0": "母亲", "Speaker_1": "女儿"}
    assert analysis["risks"][0]["level"] == "high"
    assert (models.calls("transcribe"), models.calls("review")) == (1, 1)


async def test_after_a_failure_a_retry_goes_on_at_the_step_that_failed(service: Service, models: ModelServer) -> None:
    models.script("review", Status(503))
    owner = Owner(await service.as_user(), HOME)
    session_id = await owner.uploaded(name="家.m4a")
    failed = await owner.ended(session_id)
    assert (failed["status"], failed["progress"] < 100, bool(failed["failureReason"])) == ("failed", True, True)
    models.script("review", REVIEW)
    assert (await owner.client.post(f"{SESSIONS}/{session_id}/retry")).status_code == 200
    assert (await owner.ended(session_id))["status"] == "completed"
    assert models.calls("transcribe") == 1


async def test_offline_a_transcript_that_was_brought_is_enough(offline: Service) -> None:
    owner = Owner(await offline.as_user(), HOME)
    found = await detail(owner, await owner.analysed(name="家.m4a", transcript=SPOKEN))
    assert "离线规则" in found["analysis"]["summary"]
    assert found["analysis"]["speaker_mapping"]["妈"] == "母亲"


async def test_offline_without_one_it_says_why_not(offline: Service) -> None:
    owner = Owner(await offline.as_user(), HOME)
    failed = await owner.ended(await owner.uploaded(name="家.m4a"))
    assert failed["status"] == "failed"
    assert "转写文件" in failed["failureReason"]
