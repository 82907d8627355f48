"""Pictures of strategies, links to them, and their end (A031–A033, G11, W02, T02, T04)."""

import io
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from server.audio import pictures
from tests.kit.app import Service
from tests.kit.cases import together
from tests.server.audio.conftest import Owner, data_of, files_in, refusal, rows

CLEANUP = "/api/v1/admin/cleanup-images"


async def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (1, 2, 3)).save(buffer, "PNG")
    return buffer.getvalue()


async def coached(service: Service, owner: Owner, *, days_ago: int = 0) -> str:
    """A session with a strategy: one picture, and one that failed."""

    async def content() -> Any:
        yield await png()

    session_id = await owner.analysed()
    stored = await service.runtime.storage.put("pictures", "png", content(), most_bytes=10**6)
    url = f"/api/v1/images/{session_id}/0"
    visuals = [
        {"image_index": 0, "prompt": "两个人", "status": "completed", "image_url": url, "key": stored.key},
        {"image_index": 1, "prompt": "三个人", "status": "failed", "image_url": None},
    ]
    await rows(
        service,
        "INSERT INTO audio.strategy_analysis (session_id, user_id, strategy_id, visual_data, strategies,"
        " applied_skills, scene_category, scene_confidence, created_at)"
        " SELECT id, user_id, :strategy_id, CAST(:visuals AS jsonb), '[]', '[]', 'workplace', 0.9,"
        " now() - make_interval(days => :days) FROM audio.sessions WHERE id = :session_id RETURNING id",
        strategy_id=uuid4(),
        visuals=json.dumps(visuals),
        session_id=session_id,
        days=days_ago,
    )
    return session_id


async def shown(owner: Owner, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(await owner.get(session_id))["strategy"]["visual_data"]
    return found


@pytest.fixture
async def admin(service: Service) -> httpx.AsyncClient:
    return await service.as_user(is_admin=True)


async def test_a_picture_is_its_owners(service: Service, owner: Owner, other: Owner) -> None:
    session_id = await coached(service, owner)
    path = f"/api/v1/images/{session_id}/0"
    response = await owner.client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    assert response.content == await png()
    assert "private" in response.headers["cache-control"]
    unchanged = await owner.client.get(path, headers={"if-none-match": response.headers["etag"]})
    assert unchanged.status_code in (200, 304)
    for rest in ("", "/link"):
        assert refusal(await service.client.get(path + rest)) == 401
        assert refusal(await other.client.get(path + rest)) == 404


@together(("index", "status"), [("1", 404), ("9", 404), ("-1", 422), ("x", 422), ("99999999999", 422)])
async def test_what_is_no_picture_is_not_found(service: Service, owner: Owner, index: str, status: int) -> None:
    session_id = await coached(service, owner)
    for rest in ("", "/link"):
        assert refusal(await owner.client.get(f"/api/v1/images/{session_id}/{index}{rest}")) == status


class TestLinks:
    async def test_a_link_works_without_a_login(self, service: Service, owner: Owner) -> None:
        session_id = await coached(service, owner)
        link = data_of(await owner.client.get(f"/api/v1/images/{session_id}/0/link"))
        response = await service.client.get(link["url"])
        assert (response.status_code, response.content) == (200, await png())
        assert response.headers["x-content-type-options"] == "nosniff"

    async def test_a_link_that_was_changed_or_is_over_does_not(self, service: Service, owner: Owner) -> None:
        session_id = await coached(service, owner)
        url = httpx.URL(data_of(await owner.client.get(f"/api/v1/images/{session_id}/0/link"))["url"])
        later = url.copy_set_param("expires", str(int(url.params["expires"]) + 1))
        assert refusal(await service.client.get(later)) == 400
        assert refusal(await service.client.get(url.copy_set_param("signature", "A" * 43))) == 400
        assert refusal(await service.client.get(url.copy_with(query=b""))) == 422
        assert refusal(await service.client.get(url.copy_with(path="/api/v1/files/../../etc/passwd"))) == 404
        assert refusal(await service.client.get(url.copy_with(path="/api/v1/files/pictures/x.png"))) == 404

    async def test_nothing_but_pictures_is_served_by_links(self, service: Service, owner: Owner) -> None:
        await owner.uploaded()
        key = (await rows(service, "SELECT audio_path FROM audio.sessions"))[0]["audio_path"]
        url = service.runtime.storage.signed_url(key, pictures.LINK_LIFETIME)
        assert refusal(await service.client.get(url)) == 404


class TestCleanUp:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_old_pictures_go_and_their_entries_say_so(
        self, service: Service, owner: Owner, other: Owner, admin: httpx.AsyncClient, method: str
    ) -> None:
        old, fresh = await coached(service, owner, days_ago=8), await coached(service, other, days_ago=6)
        response = await admin.request(method, CLEANUP)
        assert response.headers["cache-control"] == "no-store"
        assert data_of(response) == {"days": 7, "deleted": 1}
        assert [(one["status"], one["image_url"]) for one in await shown(owner, old)] == [
            ("deleted", None),
            ("failed", None),
        ]
        assert refusal(await owner.client.get(f"/api/v1/images/{old}/0")) == 404
        assert (await other.client.get(f"/api/v1/images/{fresh}/0")).status_code == 200
        assert len(files_in(service, "pictures")) == 1
        assert data_of(await admin.request(method, CLEANUP))["deleted"] == 0
        assert data_of(await admin.request(method, f"{CLEANUP}?days=1"))["deleted"] == 1

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_only_administrators_may(self, service: Service, owner: Owner, method: str) -> None:
        session_id = await coached(service, owner, days_ago=8)
        assert refusal(await owner.client.request(method, CLEANUP)) == 403
        assert refusal(await service.client.request(method, CLEANUP)) == 401
        assert (await shown(owner, session_id))[0]["status"] == "completed"

    @together("days", ["0", "-1", "x", "99999"])
    async def test_days_that_are_none_delete_nothing(
        self, service: Service, owner: Owner, admin: httpx.AsyncClient, days: str
    ) -> None:
        session_id = await coached(service, owner, days_ago=8)
        assert refusal(await admin.post(f"{CLEANUP}?days={days}")) == 422
        assert (await shown(owner, session_id))[0]["status"] == "completed"
