"""Strategies over HTTP: T02's second half, T03's resumption, A026, A027, G08."""

import asyncio
from typing import Any
from uuid import uuid4

from server.audio.records import CoachingRecords
from tests.kit.app import Service
from tests.kit.audio_graphs import ADVICE
from tests.kit.model_faults import Delay, Status
from tests.kit.model_server import ModelServer
from tests.server.audio.conftest import SCENE, SESSIONS, Owner, data_of, events_of, files_in, refusal, rows

KEYS = ["scene_category", "scene_confidence", "applied_skills", "strategies", "visual_data"]


async def state(owner: Owner, session_id: str) -> dict[str, Any]:
    found: dict[str, Any] = data_of(await owner.get(session_id, "/strategies"))
    return found


class TestAsking:
    async def test_it_is_made_once(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        assert await state(owner, session_id) == {
            "status": "none",
            "progress": 0,
            "estimatedTimeRemaining": None,
            "failureReason": None,
            "strategy": None,
        }
        response = await owner.strategy(session_id)
        assert response.headers["x-colloquy-model"] == "openai:strategy"
        data = data_of(response)
        assert list(data) == KEYS
        assert (data["scene_category"], data["scene_confidence"]) == ("workplace", 0.92)
        assert data["applied_skills"] == ["a"]
        assert data["strategies"] == [{**ADVICE, "advice": "先回应时间"}]
        image_url = f"/api/v1/images/{session_id}/0"
        assert data["visual_data"] == [
            {"image_index": 0, "prompt": "办公室", "image_url": image_url, "status": "completed"}
        ]
        bodies: list[Any] = [None, {}, {"force": False}]
        for body in bodies:
            assert data_of(await owner.strategy(session_id, json=body)) == data
        assert scripted.calls("strategy") == 1
        [row] = await rows(service, "SELECT * FROM audio.strategy_analysis")
        assert (row["scene_confidence"], row["applied_skills"]) == (0.92, ["a"])
        assert row["visual_data"][0]["key"].startswith("pictures/")
        found = await state(owner, session_id)
        assert (found["status"], found["progress"], found["strategy"]) == ("completed", 100, data)

    async def test_too_early(self, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("review", Delay(0.5, "好了。"))
        session_id = await owner.uploaded()
        assert refusal(await owner.strategy(session_id)) == 409
        await owner.ended(session_id)
        data_of(await owner.strategy(session_id))

    async def test_bodies(self, owner: Owner) -> None:
        session_id = await owner.analysed()
        refused: list[Any] = [{"force": "perhaps"}, {"forced": True}, [], 1]
        for body in refused:
            assert refusal(await owner.strategy(session_id, json=body)) == 422

    async def test_two_clicks_one_run(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        scripted.script("strategy", Delay(0.3, "先回应时间"))
        force = {"force": True}
        answers = await asyncio.gather(*(owner.strategy(session_id, json=force) for _ in range(5)))
        assert len({answer.text for answer in answers}) == 1
        data_of(answers[0])
        assert (scripted.calls("scene"), scripted.calls("strategy")) == (1, 1)
        assert len(await rows(service, "SELECT id FROM platform.runs WHERE workflow = 'audio_strategy'")) == 1

    async def test_a_new_one_if_wanted(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        data_of(await owner.strategy(session_id))
        [old] = files_in(service, "pictures")
        scripted.script("strategy", "换个说法")
        data = data_of(await owner.strategy(session_id, json={"force": True}))
        assert data["strategies"][0]["advice"] == "换个说法"
        assert data_of(await owner.strategy(session_id)) == data
        assert len(await rows(service, "SELECT id FROM audio.strategy_analysis")) == 1
        # The old one's thread is gone, and its picture with the next sweep.
        assert len(await rows(service, "SELECT id FROM platform.threads WHERE workflow = 'audio_strategy'")) == 1
        keys = [
            row["key"] for row in await rows(service, "SELECT key FROM audio.abandoned_files WHERE due_at <= now()")
        ]
        assert keys == [str(old.relative_to(service.runtime.settings.data_dir / "storage"))]

    async def test_one_key_forces_one(self, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        data_of(await owner.strategy(session_id))
        more: dict[str, Any] = {"json": {"force": True}, "headers": {"idempotency-key": "k"}}
        answers = await asyncio.gather(*(owner.strategy(session_id, **more) for _ in range(3)))
        answers.append(await owner.strategy(session_id, **more))
        assert len({answer.text for answer in answers}) == 1
        assert scripted.calls("strategy") == 2
        different = await owner.client.post(
            f"{SESSIONS}/{session_id}/strategies",
            content=b'{"force":  true}',
            headers={"idempotency-key": "k", "content-type": "application/json"},
        )
        assert refusal(different) == 400


class TestFailing:
    async def test_a_broken_run_goes_on_on_its_thread(
        self, service: Service, owner: Owner, scripted: ModelServer
    ) -> None:
        session_id = await owner.analysed()
        scripted.script("strategy", Status(503))
        assert refusal(await owner.strategy(session_id)) == 502
        found = await state(owner, session_id)
        assert (found["status"], found["progress"]) == ("failed", 33)
        assert found["failureReason"] == "模型暂时不可用，请稍后再试"
        scripted.script("strategy", "先回应时间")
        answers = await asyncio.gather(*(owner.strategy(session_id) for _ in range(3)))
        assert len({answer.text for answer in answers}) == 1
        data_of(answers[0])
        assert scripted.calls("scene") == 1
        assert len(await rows(service, "SELECT id FROM platform.threads WHERE workflow = 'audio_strategy'")) == 1
        assert (await state(owner, session_id))["status"] == "completed"

    async def test_a_stored_one_outlives_a_failing_new_one(self, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        stored = data_of(await owner.strategy(session_id))
        scripted.script("strategy", Status(503))
        assert refusal(await owner.strategy(session_id, json={"force": True})) == 502
        assert data_of(await owner.strategy(session_id)) == stored
        assert data_of(await owner.get(session_id))["strategy"] == stored
        scripted.script("strategy", "换个说法")
        new = data_of(await owner.strategy(session_id, json={"force": True}))
        assert new["strategies"][0]["advice"] == "换个说法"
        # The broken one went on; it did not find the scene once more.
        assert scripted.calls("scene") == 2

    async def test_pictures_that_were_not_drawn_are_drawn_then(self, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        scripted.script("fuse", Status(503))
        assert refusal(await owner.strategy(session_id)) == 502
        stored = data_of(await owner.get(session_id))["strategy"]
        assert stored["visual_data"][0]["status"] == "pending"
        scripted.script("fuse", "画好了")
        assert data_of(await owner.strategy(session_id))["visual_data"][0]["status"] == "completed"
        assert scripted.calls("strategy") == 1

    async def test_a_budget_that_runs_out(
        self, service: Service, owner: Owner, scripted: ModelServer, monkeypatch: Any
    ) -> None:
        session_id = await owner.analysed()
        scripted.script("strategy", Delay(0.8, "先回应时间"))
        short = service.runtime.settings.model_copy(update={"strategy_timeout_seconds": 0.1})
        with monkeypatch.context() as patched:
            patched.setitem(service.runtime.__dict__, "settings", short)
            assert refusal(await owner.strategy(session_id)) == 504
        found = await state(owner, session_id)
        assert (found["status"], found["strategy"]) == ("running", None)
        data_of(await owner.strategy(session_id))
        assert scripted.calls("strategy") == 1

    async def test_a_click_whose_process_died(
        self, service: Service, owner: Owner, scripted: ModelServer, monkeypatch: Any
    ) -> None:
        """It had said which strategy it makes, and nothing begins it: another one waits a little, and does."""
        session_id = await owner.analysed()
        monkeypatch.setattr("server.audio.coaching._START_SECONDS", 0.5)
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute(
                "UPDATE audio.sessions SET strategy_id = %s, strategy_thread_id = %s, strategy_asked_at = now()",
                (uuid4(), uuid4()),
            )
        answers = await asyncio.gather(*(owner.strategy(session_id) for _ in range(3)))
        assert len({answer.text for answer in answers}) == 1
        data_of(answers[0])
        assert scripted.calls("strategy") == 1

    async def test_a_click_on_a_broken_one_whose_process_died(
        self, service: Service, owner: Owner, scripted: ModelServer, monkeypatch: Any
    ) -> None:
        """It had asked once more: another one goes on where the broken run had come to."""
        session_id = await owner.analysed()
        scripted.script("strategy", Status(503))
        assert refusal(await owner.strategy(session_id)) == 502
        scripted.script("strategy", "先回应时间")
        monkeypatch.setattr("server.audio.coaching._START_SECONDS", 0.5)
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE audio.sessions SET strategy_asked_at = now()")
        data_of(await owner.strategy(session_id))
        assert scripted.calls("scene") == 1

    async def test_deleted_while_it_is_made(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        scripted.script("strategy", Delay(0.5, "先回应时间"))
        asked = asyncio.create_task(owner.strategy(session_id))
        while scripted.calls("strategy") == 0:
            await asyncio.sleep(0.02)
        data_of(await owner.client.delete(f"{SESSIONS}/{session_id}"))
        assert refusal(await asked) == 404
        assert await rows(service, "SELECT id FROM audio.strategy_analysis") == []

    async def test_a_strategy_that_is_begun_while_its_recording_is_deleted_leaves_nothing(
        self, service: Service, owner: Owner, monkeypatch: Any
    ) -> None:
        session_id = await owner.analysed()
        delete = service.runtime.engine.delete_thread
        strategies: list[Any] = []

        async def delete_after_a_click(*given: Any) -> bool:
            if not strategies:
                strategies.append(data_of(await owner.strategy(session_id)))
            return await delete(*given)

        monkeypatch.setattr(service.runtime.engine, "delete_thread", delete_after_a_click)
        data_of(await owner.client.delete(f"{SESSIONS}/{session_id}"))
        assert strategies
        assert await rows(service, "SELECT id FROM platform.threads") == []
        assert files_in(service) == []


class TestStream:
    async def test_steps_and_the_answer(self, owner: Owner) -> None:
        session_id = await owner.analysed()
        response = await owner.strategy(session_id, params={"stream": "true"})
        assert response.headers["content-type"].startswith("text/event-stream")
        events = events_of(response.text)
        assert [name for name, _ in events] == ["step", "result"]
        answer = data_of(await owner.strategy(session_id))
        assert events[-1][1] == {"code": 200, "message": "success", "data": answer}
        again = await owner.strategy(session_id, headers={"accept": "text/event-stream"})
        assert events_of(again.text) == [events[-1]]

    async def test_a_failure_ends_it(self, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        scripted.script("strategy", Status(503))
        events = events_of((await owner.strategy(session_id, params={"stream": "true"})).text)
        assert events[-1] == ("error", {"detail": "模型暂时不可用，请稍后再试"})


class TestScene:
    async def test_it_is_told_and_not_kept(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        response = await owner.client.post(f"{SESSIONS}/{session_id}/classify-scene")
        assert data_of(response) == {"scene_category": "workplace", "scene_confidence": 0.92}
        assert response.headers["x-colloquy-model"] == "openai:scene"
        assert await rows(service, "SELECT id FROM audio.strategy_analysis") == []
        assert (await rows(service, "SELECT strategy_steps FROM audio.sessions"))[0]["strategy_steps"] == {}

    async def test_one_key_one_answer(self, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        headers = {"idempotency-key": "k"}
        for _ in range(2):
            data_of(await owner.client.post(f"{SESSIONS}/{session_id}/classify-scene", headers=headers))
        assert scripted.calls("scene") == 1
        other = await owner.client.post(f"{SESSIONS}/{session_id}/strategies", headers=headers)
        assert refusal(other) == 400

    async def test_failures(self, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed()
        scripted.script("scene", Status(503), "no json", SCENE)
        for status in (502, 500, 200):
            response = await owner.client.post(f"{SESSIONS}/{session_id}/classify-scene")
            assert response.status_code == status
            assert "json" not in response.text


class TestRecords:
    async def test_another_strategys_picture_is_not_stored(self, service: Service, owner: Owner) -> None:
        session_id = await owner.analysed()
        data_of(await owner.strategy(session_id))
        [row] = await rows(service, "SELECT user_id, visual_data, strategy_id FROM audio.strategy_analysis")

        async def settled() -> None:
            pass

        records = CoachingRecords(service.runtime.database, row["user_id"], settled)
        late: Any = {**row["visual_data"][0], "key": "pictures/ab/" + "ab" * 16 + ".png"}
        await records.save_visual(session_id, str(uuid4()), late)
        [kept] = await rows(service, "SELECT visual_data FROM audio.strategy_analysis")
        assert kept["visual_data"] == row["visual_data"]
        abandoned = await rows(service, "SELECT key FROM audio.abandoned_files WHERE due_at <= now()")
        assert [one["key"] for one in abandoned] == [late["key"]]
