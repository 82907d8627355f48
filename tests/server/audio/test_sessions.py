"""Lists, details, status and deletion over HTTP: A023–A025, A030, G06, G07, T04's ownership."""

import asyncio
from uuid import UUID, uuid4

import httpx

from tests.kit.app import Service
from tests.kit.cases import together
from tests.kit.model_faults import Delay
from tests.kit.model_server import ModelServer
from tests.server.audio.conftest import SESSIONS, Owner, data_of, files_in, refusal, rows

ITEM = ["session_id", "title", "status", "duration", "speaker_count", "emotion_score", "tags", "created_at"]
ENDPOINTS = [
    ("GET", "", None),
    ("GET", "/status", None),
    ("POST", "/retry", None),
    ("POST", "/strategies", None),
    ("GET", "/strategies", None),
    ("POST", "/classify-scene", None),
    ("GET", "/audio-segments", None),
    ("GET", f"/audio-segments/{UUID(int=1)}/audio", None),
    ("POST", "/extract-segment", {"start_time": 0, "end_time": 1, "speaker": "a"}),
    ("GET", "/audio", None),
    ("GET", "/waveform", None),
    ("DELETE", "", None),
]


class TestWhoMay:
    async def test_nobody_without_a_login(self, anonymous: httpx.AsyncClient) -> None:
        assert refusal(await anonymous.get(SESSIONS)) == 401
        for method, path, body in ENDPOINTS:
            assert refusal(await anonymous.request(method, f"{SESSIONS}/{uuid4()}{path}", json=body)) == 401

    async def test_a_stranger_finds_nothing(self, service: Service, owner: Owner, other: Owner) -> None:
        session_id = await owner.analysed()
        for asked in (session_id, str(uuid4())):
            for method, path, body in ENDPOINTS:
                response = await other.client.request(method, f"{SESSIONS}/{asked}{path}", json=body)
                assert refusal(response) == 404, (method, path)
        assert data_of(await other.client.get(SESSIONS))["sessions"] == []
        assert data_of(await owner.get(session_id))["session_id"] == session_id
        assert len(files_in(service)) == 1

    async def test_ids_that_are_none(self, owner: Owner) -> None:
        for method, path, body in ENDPOINTS:
            assert refusal(await owner.client.request(method, f"{SESSIONS}/x{path}", json=body)) == 422


class TestList:
    async def test_newest_first_by_page_and_status(self, owner: Owner) -> None:
        ids = [await owner.analysed(title=str(number)) for number in range(3)]
        data = data_of(await owner.client.get(SESSIONS, params={"page_size": 2}))
        assert list(data) == ["sessions", "pagination"]
        assert [one["session_id"] for one in data["sessions"]] == [ids[2], ids[1]]
        assert data["pagination"] == {"page": 1, "page_size": 2, "total": 3, "total_pages": 2}
        [first] = data_of(await owner.client.get(SESSIONS, params={"page_size": 2, "page": 2}))["sessions"]
        assert list(first) == ITEM
        created_at = first.pop("created_at")
        assert created_at.endswith("Z")
        assert first == {
            "session_id": ids[0],
            "title": "0",
            "status": "completed",
            "duration": 3.0,
            "speaker_count": 2,
            "emotion_score": 40.0,
            "tags": ["工作"],
        }
        done = data_of(await owner.client.get(SESSIONS, params={"status": "completed"}))
        assert done["pagination"]["total"] == 3
        none = data_of(await owner.client.get(SESSIONS, params={"status": "failed"}))
        assert (none["sessions"], none["pagination"]["total_pages"]) == ([], 0)

    @together("query", ["page=0", "page_size=101", "status=done", "page=x"])
    async def test_refusals(self, owner: Owner, query: str) -> None:
        assert refusal(await owner.client.get(f"{SESSIONS}?{query}")) == 422


class TestDetail:
    async def test_before_and_after(self, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("review", Delay(0.5, "老板催进度。"))
        session_id = await owner.uploaded()
        early = data_of(await owner.get(session_id))
        assert (early["analysis"], early["strategy"]) == (None, None)
        await owner.ended(session_id)
        detail = data_of(await owner.get(session_id))
        assert list(detail) == [*ITEM, "analysis", "strategy"]
        assert detail["analysis"] == {
            "summary": "老板催进度。",
            "conversation_summary": "催进度",
            "mood_score": 40.0,
            "risks": [{"level": "low", "text": "语气急", "quote": "快点", "start": 0.5}],
            "dialogues": [
                {"speaker": "Speaker_0", "start": 0.5, "end": 1.5, "text": "快点"},
                {"speaker": "Speaker_1", "start": 1.6, "end": 2.8, "text": "好的，明天"},
            ],
            "speaker_mapping": {"Speaker_0": "上级"},
        }
        assert detail["strategy"] is None
        strategy = data_of(await owner.strategy(session_id))
        assert data_of(await owner.get(session_id))["strategy"] == strategy


class TestStatus:
    async def test_while_it_works(self, owner: Owner, scripted: ModelServer) -> None:
        await owner.analysed()
        scripted.script("review", Delay(1, "老板催进度。"))
        session_id = await owner.uploaded()
        seen = []
        async with asyncio.timeout(20):
            while (found := await owner.status(session_id))["status"] != "completed":
                seen.append((found["status"], found["progress"], found["estimatedTimeRemaining"]))
                assert found["failureReason"] is None
                await asyncio.sleep(0.05)
        assert {status for status, _, _ in seen} <= {"pending", "analyzing"}
        assert [progress for _, progress, _ in seen] == sorted(progress for _, progress, _ in seen)
        assert seen[-1][:2] == ("analyzing", 50)
        # From the first recording on there is a measure.
        assert all(left is not None and left >= 1 for _, _, left in seen)
        listed = data_of(await owner.client.get(SESSIONS))["sessions"]
        assert [one["status"] for one in listed] == ["completed", "completed"]


class TestDelete:
    async def test_everything_goes(self, service: Service, owner: Owner) -> None:
        session_id = await owner.analysed()
        data_of(await owner.strategy(session_id))
        data_of(await owner.extract(session_id, 0.5, 1.5))
        kept = await owner.analysed()
        assert len(files_in(service)) == 4
        assert data_of(await owner.client.delete(f"{SESSIONS}/{session_id}")) == {"session_id": session_id}
        assert refusal(await owner.get(session_id)) == 404
        assert len(files_in(service)) == 1
        for table in ("sessions", "analysis_results"):
            assert len(await rows(service, f"SELECT id FROM audio.{table}")) == 1
        for table in ("strategy_analysis", "abandoned_files"):
            assert await rows(service, f"SELECT * FROM audio.{table}") == []
        assert len(await rows(service, "SELECT id FROM platform.threads")) == 1
        assert refusal(await owner.client.delete(f"{SESSIONS}/{session_id}")) == 404
        assert data_of(await owner.get(kept))["session_id"] == kept

    async def test_while_it_is_analysed(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("review", Delay(0.6, "spät"))
        session_id = await owner.uploaded()
        while scripted.calls("review") == 0:
            await asyncio.sleep(0.02)
        data_of(await owner.client.delete(f"{SESSIONS}/{session_id}"))
        await asyncio.sleep(1)
        assert await rows(service, "SELECT id FROM audio.analysis_results") == []
        assert await rows(service, "SELECT id FROM audio.sessions") == []
        assert files_in(service) == []
