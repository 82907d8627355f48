"""Recordings and pictures in a bucket: what STORAGE_URL says, and the family over it (A032, G11)."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.clock import SystemClock
from core.settings import Settings, SettingsError
from server.audio.storage import bucket_of, storage_from
from server.runtime import preflight
from tests.kit.app import Service, running_service
from tests.kit.object_store import BUCKET, KEY_ID, KEY_SECRET, REGION, ObjectStore
from tests.server.audio.conftest import OUR_SKILLS, ROOT, Owner, data_of, refusal, rows

EXAMPLES = ROOT / "examples" / "audio" / "recordings"
GIVEN = {
    "STORAGE_URL": "oss://voices/colloquy/live",
    "OSS_REGION": "cn-hangzhou",
    "OSS_ACCESS_KEY_ID": "id",
    "OSS_ACCESS_KEY_SECRET": "hidden",
}


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with ObjectStore() as running:
        yield running


@pytest.fixture
async def service(database_url: str, tmp_path: Path, store: ObjectStore) -> AsyncIterator[Service]:
    store.objects.clear()
    bucket = {
        "STORAGE_URL": f"oss://{BUCKET}/live",
        "OSS_REGION": REGION,
        "OSS_ENDPOINT": store.address,
        "OSS_ACCESS_KEY_ID": KEY_ID,
        "OSS_ACCESS_KEY_SECRET": KEY_SECRET,
        "OSS_PATH_STYLE": "1",
        "COLLOQUY_CONFIG": str(ROOT / "langgraph.json"),
        **OUR_SKILLS,
    }
    async with running_service(database_url, tmp_path / "data", bucket) as service:
        yield service
    store.failing.clear()


async def upload(owner: Owner) -> httpx.Response:
    said = (EXAMPLES / "two-parts-are-done.vtt").read_bytes()
    return await owner.upload((EXAMPLES / "two-parts-are-done.wav").read_bytes(), transcript=said)


def kept(store: ObjectStore, folder: str) -> list[str]:
    return [name for name in store.objects if name.startswith(f"live/{folder}/")]


async def test_from_a_recording_to_a_pictures_link(
    service: Service, owner: Owner, store: ObjectStore, tmp_path: Path
) -> None:
    session_id = data_of(await upload(owner))["session_id"]
    assert (await owner.ended(session_id))["status"] == "completed"
    strategy = data_of(await owner.strategy(session_id))
    assert {one["status"] for one in strategy["visual_data"]} == {"completed"}
    assert len(kept(store, "recordings")) == 1
    assert len(kept(store, "pictures")) == len(strategy["visual_data"])
    picture = await owner.client.get(strategy["visual_data"][0]["image_url"])
    link = data_of(await owner.client.get(strategy["visual_data"][0]["image_url"] + "/link"))
    assert link["url"].startswith(f"{store.address}/{BUCKET}/live/pictures/")
    assert KEY_SECRET not in link["url"]
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(link["url"])).content == picture.content
    piece = data_of(await owner.extract(session_id, 1.0, 2.0))
    assert (await owner.client.get(piece["audio_url"])).status_code == 200
    sound = await owner.client.get(f"/api/v1/tasks/sessions/{session_id}/audio", headers={"range": "bytes=0-3"})
    assert (sound.status_code, sound.content) == (206, b"RIFF")
    # Nothing of it is on this machine, and nothing remains when it is deleted.
    assert not (tmp_path / "data" / "storage").exists()
    data_of(await owner.client.delete(f"/api/v1/tasks/sessions/{session_id}"))
    assert store.objects == {}


async def test_a_bucket_that_does_not_answer_takes_nothing(service: Service, owner: Owner, store: ObjectStore) -> None:
    store.failing[:] = [503] * 3
    response = await upload(owner)
    assert refusal(response) == 503
    assert response.json()["detail"] == "存储服务暂时不可用，请稍后再试"
    assert store.failing == []
    assert store.objects == {}
    assert await rows(service, "SELECT id FROM audio.sessions") == []
    assert (await upload(owner)).status_code == 200


@pytest.mark.parametrize(
    ("url", "name", "prefix"),
    [
        ("oss://voices", "voices", ""),
        ("oss://voices/", "voices", ""),
        ("oss://voices/colloquy/live", "voices", "colloquy/live/"),
        ("oss://voices/a.b/", "voices", "a.b/"),
    ],
)
def test_a_url_names_bucket_and_prefix(url: str, name: str, prefix: str) -> None:
    bucket = bucket_of(Settings.load(GIVEN | {"STORAGE_URL": url}, dotenv=None))
    assert bucket is not None
    assert (bucket.name, bucket.prefix, bucket.path_style) == (name, prefix, False)
    assert "hidden" not in repr(bucket)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        *(({"STORAGE_URL": url}, "STORAGE_URL") for url in ("s3://x", "oss://", "oss://Voices", "oss://a", "/srv")),
        *(({"STORAGE_URL": f"oss://voices/{p}"}, "STORAGE_URL") for p in ("../x", "a//b", "a/.", "a?b", "a b")),
        *(({name: ""}, name) for name in ("OSS_REGION", "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET")),
        ({"OSS_REGION": "Hangzhou!"}, "OSS_REGION"),
        ({"OSS_ENDPOINT": "ftp://x/y"}, "OSS_ENDPOINT"),
    ],
)
def test_what_cannot_be_used_is_named(given: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as refused:
        preflight(Settings.load(GIVEN | given, dotenv=None))
    assert "hidden" not in str(refused.value)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent: Any = None
    monkeypatch.setitem(sys.modules, "alibabacloud_oss_v2", absent)
    monkeypatch.delitem(sys.modules, "tools.storage.oss", raising=False)
    with pytest.raises(SettingsError, match=r"alibabacloud_oss_v2 is not installed; .* colloquy\[oss\]"):
        storage_from(Settings.load(GIVEN, dotenv=None), "s" * 32, SystemClock())
