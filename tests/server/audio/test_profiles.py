"""`/api/v1/profiles`: people, their photos, and where they are heard (A039–A043, G12, T04)."""

import io
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from tests.kit.app import Service
from tests.kit.cases import together
from tests.server.audio.conftest import Owner, data_of, files_in, refusal, rows

PROFILES = "/api/v1/profiles"
BOSS = {"name": "老板", "relationship": "领导", "notes": "说话快"}


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()


async def made(owner: Owner, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = data_of(await owner.client.post(PROFILES, json=BOSS | more))
    return found


async def upload(owner: Owner, profile_id: str, content: bytes, name: str = "me.png") -> httpx.Response:
    url = f"{PROFILES}/upload-photo?profile_id={profile_id}"
    return await owner.client.post(url, files={"file": (name, content)})


async def listed(owner: Owner) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(await owner.client.get(PROFILES))["profiles"]
    return found


class TestProfiles:
    async def test_one_is_made_read_changed_and_deleted(self, owner: Owner) -> None:
        profile = await made(owner)
        assert {name: profile[name] for name in BOSS} == BOSS
        assert profile["photo_url"] is None
        assert data_of(await owner.client.get(f"{PROFILES}/{profile['id']}")) == profile
        changed = data_of(await owner.client.put(f"{PROFILES}/{profile['id']}", json={"notes": "说话慢"}))
        assert (changed["name"], changed["notes"]) == ("老板", "说话慢")
        assert changed["updated_at"] >= profile["updated_at"]
        assert data_of(await owner.client.delete(f"{PROFILES}/{profile['id']}")) == {"id": profile["id"]}
        assert await listed(owner) == []
        assert refusal(await owner.client.delete(f"{PROFILES}/{profile['id']}")) == 404

    async def test_a_list_has_pages_newest_first(self, owner: Owner, other: Owner) -> None:
        for number in range(3):
            await made(owner, name=f"第{number}位")
        await made(other)
        page = data_of(await owner.client.get(f"{PROFILES}?page=1&page_size=2"))
        assert [one["name"] for one in page["profiles"]] == ["第2位", "第1位"]
        assert page["pagination"] == {"page": 1, "page_size": 2, "total": 3, "total_pages": 2}

    @together(
        "body",
        [
            {},
            {"name": ""},
            {"name": " \u3000"},
            {"name": "x" * 101},
            {"name": "a", "relationship": "x" * 51},
            {"name": "a", "notes": "x" * 5001},
            {"name": "a\u0000"},
            {"name": "a", "user_id": str(uuid4())},
            {"name": "a", "photo_url": "http://elsewhere/x.png"},
            {"name": "a", "audio_start_time": -1},
            {"name": "a", "audio_start_time": 2, "audio_end_time": 1},
            {"name": "a", "audio_session_id": "no id"},
        ],
    )
    async def test_a_wrong_value_makes_nothing(self, owner: Owner, body: dict[str, Any]) -> None:
        assert refusal(await owner.client.post(PROFILES, json=body)) == 422
        assert await listed(owner) == []

    async def test_a_stranger_and_nobody_see_none_of_it(self, service: Service, owner: Owner, other: Owner) -> None:
        path = f"{PROFILES}/{(await made(owner))['id']}"
        for method, url, body in (
            ("GET", path, None),
            ("PUT", path, {"name": "x"}),
            ("DELETE", path, None),
            ("GET", f"{path}/photo", None),
        ):
            assert refusal(await other.client.request(method, url, json=body)) == 404
            assert refusal(await service.client.request(method, url, json=body)) == 401
        assert refusal(await service.client.get(PROFILES)) == 401
        assert refusal(await service.client.post(PROFILES, json=BOSS)) == 401
        assert await listed(other) == []
        assert len(await listed(owner)) == 1


class TestWhereTheyAreHeard:
    async def test_a_segment_says_when_and_in_which_recording(self, owner: Owner) -> None:
        session_id = await owner.analysed()
        piece = data_of(await owner.extract(session_id, 0.5, 1.5))
        profile = await made(owner, audio_segment_id=piece["segment_id"])
        assert (profile["audio_session_id"], profile["audio_segment_id"]) == (session_id, piece["segment_id"])
        assert (profile["audio_start_time"], profile["audio_end_time"]) == (0.5, 1.5)
        assert profile["audio_url"] == piece["audio_url"]
        assert (await owner.client.get(profile["audio_url"])).content[:4] == b"RIFF"

    async def test_it_stays_when_the_recording_goes(self, owner: Owner) -> None:
        session_id = await owner.analysed()
        piece = data_of(await owner.extract(session_id, 0.5, 1.5))
        profile = await made(owner, audio_segment_id=piece["segment_id"])
        data_of(await owner.client.delete(f"/api/v1/tasks/sessions/{session_id}"))
        left = data_of(await owner.client.get(f"{PROFILES}/{profile['id']}"))
        assert (left["name"], left["audio_session_id"], left["audio_segment_id"], left["audio_url"]) == (
            *("老板", None, None),
            None,
        )

    @pytest.mark.parametrize(
        "times", [{"audio_end_time": 3.5}, {"audio_start_time": 3.0}, {"audio_start_time": 2.0, "audio_end_time": 99.0}]
    )
    async def test_times_are_within_the_recording(self, owner: Owner, times: dict[str, float]) -> None:
        session_id = await owner.uploaded()
        body = BOSS | {"audio_session_id": session_id} | times
        assert refusal(await owner.client.post(PROFILES, json=body)) == 400
        profile = await made(owner, audio_session_id=session_id, audio_start_time=1.0, audio_end_time=2.0)
        path = f"{PROFILES}/{profile['id']}"
        assert refusal(await owner.client.put(path, json=times | {"audio_session_id": session_id})) == 400
        assert data_of(await owner.client.get(path)) == profile

    async def test_what_is_anothers_is_not_found(self, owner: Owner, other: Owner) -> None:
        session_id = await other.analysed()
        piece = data_of(await other.extract(session_id, 0.5, 1.5))
        for heard in ({"audio_session_id": session_id}, {"audio_segment_id": piece["segment_id"]}):
            assert refusal(await owner.client.post(PROFILES, json=BOSS | heard)) == 404
        mine = await owner.analysed()
        own = data_of(await owner.extract(mine, 0.5, 1.5))
        second = await owner.uploaded(name="second.wav", title="另一段")
        body = BOSS | {"audio_session_id": second, "audio_segment_id": own["segment_id"]}
        assert refusal(await owner.client.post(PROFILES, json=body)) == 400

    async def test_it_can_be_taken_back(self, owner: Owner) -> None:
        session_id = await owner.uploaded()
        profile = await made(owner, audio_session_id=session_id, audio_start_time=1.0)
        body = {"audio_session_id": None}
        changed = data_of(await owner.client.put(f"{PROFILES}/{profile['id']}", json=body))
        assert (changed["audio_session_id"], changed["audio_start_time"]) == (None, None)


class TestPhotos:
    @pytest.mark.parametrize(
        ("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
    )
    async def test_a_photo_is_stored_under_a_name_of_ours(
        self, service: Service, owner: Owner, kind: str, media_type: str
    ) -> None:
        profile = await made(owner)
        answer = data_of(await upload(owner, profile["id"], picture(kind), "../../x.exe"))
        assert (await listed(owner))[0]["photo_url"] == answer["photo_url"]
        shown = await owner.client.get(answer["photo_url"])
        assert (shown.status_code, shown.headers["content-type"]) == (200, media_type)
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert Image.open(io.BytesIO(shown.content)).size == (64, 48)
        assert len(files_in(service, "photos")) == 1

    async def test_a_new_photo_replaces_the_old_one_and_goes_with_the_profile(
        self, service: Service, owner: Owner
    ) -> None:
        profile = await made(owner)
        first = data_of(await upload(owner, profile["id"], picture()))
        second = data_of(await upload(owner, profile["id"], picture(size=(32, 32))))
        assert first["photo_url"] != second["photo_url"]
        assert len(files_in(service, "photos")) == 1
        data_of(await owner.client.delete(f"{PROFILES}/{profile['id']}"))
        assert files_in(service, "photos") == []
        assert await rows(service, "SELECT key FROM audio.abandoned_files") == []

    @pytest.mark.parametrize(
        ("content", "status"),
        [
            (b"this is text", 400),
            (b"", 400),
            (picture("GIF"), 400),
            (picture()[:60], 400),
            (picture(size=(8, 8)), 400),
            (b"\x89PNG" + b"0" * (5 * 1024 * 1024), 413),
        ],
    )
    async def test_what_is_no_photo_is_refused(
        self, service: Service, owner: Owner, content: bytes, status: int
    ) -> None:
        profile = await made(owner)
        assert refusal(await upload(owner, profile["id"], content)) == status
        assert (await listed(owner))[0]["photo_url"] is None
        assert files_in(service, "photos") == []

    async def test_only_the_owner_may(self, service: Service, owner: Owner, other: Owner) -> None:
        profile = await made(owner)
        assert refusal(await upload(other, profile["id"], picture())) == 404
        assert refusal(await upload(Owner(service.client, b""), profile["id"], picture())) == 401
        assert refusal(await upload(owner, str(uuid4()), picture())) == 404
        url = data_of(await upload(owner, profile["id"], picture()))["photo_url"]
        assert refusal(await other.client.get(url)) == 404
        assert refusal(await service.client.get(url)) == 401

    @pytest.mark.parametrize("files", [{}, {"photo": ("a.png", picture())}])
    async def test_a_form_without_the_file_is_refused(self, owner: Owner, files: dict[str, Any]) -> None:
        profile = await made(owner)
        url = f"{PROFILES}/upload-photo?profile_id={profile['id']}"
        assert refusal(await owner.client.post(url, files=files, data={"x": "1"})) == 400
        assert refusal(await owner.client.post(f"{PROFILES}/upload-photo", files=files)) in (400, 422)
