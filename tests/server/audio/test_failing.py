"""Analyses that fail and go on: T03, G14; uploads whose storage fails."""

import asyncio
import errno
import os
import time
from typing import Any
from uuid import UUID

import pytest

from core.errors import Unavailable
from server.audio.upkeep import AudioUpkeep
from tests.kit.app import Service
from tests.kit.model_faults import Delay, Status
from tests.kit.model_server import ModelServer
from tests.server.audio.conftest import SESSIONS, Owner, data_of, files_in, refusal, rows

HEARD = "Speaker_0|0.5|1.5|快点"


async def retried(owner: Owner, session_id: str, **more: Any) -> Any:
    return await owner.client.post(f"{SESSIONS}/{session_id}/retry", **more)


class TestAFailedAnalysis:
    async def test_it_says_why_and_goes_on_where_it_failed(
        self, service: Service, owner: Owner, scripted: ModelServer
    ) -> None:
        scripted.script("review", Status(503))
        session_id = await owner.uploaded()
        ended = await owner.ended(session_id)
        assert (ended["status"], ended["progress"], ended["estimatedTimeRemaining"]) == ("failed", 50, None)
        assert ended["failureReason"] == "模型暂时不可用，请稍后再试"
        [row] = await rows(service, "SELECT status, error_message FROM audio.sessions")
        assert row == {"status": "failed", "error_message": ended["failureReason"]}
        assert refusal(await owner.strategy(session_id)) == 409
        assert refusal(await owner.client.post(f"{SESSIONS}/{session_id}/classify-scene")) == 409
        listed = data_of(await owner.client.get(SESSIONS, params={"status": "failed"}))
        assert [one["session_id"] for one in listed["sessions"]] == [session_id]
        assert len(files_in(service, "recordings")) == 1
        scripted.script("review", "好了。")
        again = data_of(await retried(owner, session_id))
        assert again["status"] in ("pending", "analyzing", "completed")
        assert again["failureReason"] is None
        assert (await owner.ended(session_id))["status"] == "completed"
        # What was heard is not paid for twice.
        assert scripted.calls("transcribe") == 1
        [row] = await rows(service, "SELECT status, error_message FROM audio.sessions")
        assert row == {"status": "completed", "error_message": None}

    async def test_it_fails_again(self, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("transcribe", Status(503))
        session_id = await owner.uploaded()
        assert (await owner.ended(session_id))["status"] == "failed"
        data_of(await retried(owner, session_id))
        assert (await owner.ended(session_id))["status"] == "failed"
        assert scripted.calls("transcribe") == 2

    async def test_a_retry_of_what_needs_none(self, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("review", Delay(0.5, "好了。"))
        session_id = await owner.uploaded()
        assert data_of(await retried(owner, session_id))["status"] in ("pending", "analyzing")
        assert (await owner.ended(session_id))["status"] == "completed"
        assert refusal(await retried(owner, session_id)) == 409
        assert scripted.calls("review") == 1

    async def test_many_clicks_one_run(self, service: Service, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("review", Status(503), Delay(0.5, "好了。"))
        session_id = await owner.uploaded()
        await owner.ended(session_id)
        headers = {"idempotency-key": "again"}
        answers = await asyncio.gather(*(retried(owner, session_id, headers=headers) for _ in range(5)))
        assert {data_of(answer)["status"] for answer in answers} <= {"pending", "analyzing"}
        assert (await owner.ended(session_id))["status"] == "completed"
        assert len(await rows(service, "SELECT id FROM platform.runs")) == 2

    async def test_a_key_of_another_request(self, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("review", Status(503))
        first, second = await owner.uploaded(), await owner.uploaded()
        assert {(await owner.ended(one))["status"] for one in (first, second)} == {"failed"}
        headers = {"idempotency-key": "again"}
        data_of(await retried(owner, first, headers=headers))
        assert refusal(await retried(owner, second, headers=headers)) == 400
        found = await owner.status(second)
        assert (found["status"], found["failureReason"]) == ("failed", "模型暂时不可用，请稍后再试")

    async def test_a_crash_inside_shows_nothing_of_itself(self, owner: Owner, scripted: ModelServer) -> None:
        scripted.script("transcribe", "geheim4417 no line")
        found = await owner.ended(await owner.uploaded())
        assert found["failureReason"] == "处理失败，请稍后重试"

    async def test_nobody_has_begun_it(self, service: Service, owner: Owner) -> None:
        """The process died between the session and its run."""
        session_id = await owner.analysed()
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("DELETE FROM platform.threads")
            await connection.execute("UPDATE audio.sessions SET status = 'pending'")
        assert (await owner.status(session_id))["status"] == "pending"
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE audio.sessions SET analysis_asked_at = now() - interval '61 s'")
        found = await owner.status(session_id)
        assert (found["status"], found["failureReason"]) == ("failed", "处理没有开始，请重试")
        data_of(await retried(owner, session_id))
        assert (await owner.ended(session_id))["status"] == "completed"

    async def test_it_is_written_down_when_nobody_asks(
        self, service: Service, owner: Owner, scripted: ModelServer
    ) -> None:
        scripted.script("review", Status(503))
        await owner.uploaded()
        async with asyncio.timeout(10):
            while not await rows(service, "SELECT id FROM platform.runs WHERE status = 'error'"):
                await asyncio.sleep(0.02)
        upkeep = AudioUpkeep(service.runtime.system, service.runtime.storage, 1)
        await upkeep.tidy()
        [row] = await rows(service, "SELECT status, error_message FROM audio.sessions")
        assert row == {"status": "failed", "error_message": "模型暂时不可用，请稍后再试"}


class TestStorageThatFails:
    async def test_no_room(self, service: Service, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
        async def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("tools.storage.local._copy", full)
            assert refusal(await owner.upload()) == 503
        assert files_in(service) == []
        assert await rows(service, "SELECT * FROM audio.sessions") == []
        await owner.analysed()

    async def test_what_cannot_be_deleted_now_is_deleted_later(
        self, service: Service, owner: Owner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def down(_key: str) -> bool:
            raise Unavailable("存储暂不可用")

        session_id = await owner.analysed()
        with monkeypatch.context() as patched:
            patched.setattr(service.runtime.storage, "delete", down)
            data_of(await owner.client.delete(f"{SESSIONS}/{session_id}"))
            assert refusal(await owner.upload(b"no sound")) == 400
        assert len(files_in(service)) == 2
        await AudioUpkeep(service.runtime.system, service.runtime.storage, 1).tidy()
        assert files_in(service) == []
        assert await rows(service, "SELECT * FROM audio.abandoned_files") == []

    async def test_files_that_never_go_hold_up_no_others(
        self, service: Service, owner: Owner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session_id = await owner.analysed()
        data_of(await owner.extract(session_id, 0.5, 1.5))
        gone: list[str] = []

        async def stubborn(key: str) -> bool:
            if key.startswith("recordings/"):
                raise Unavailable("存储暂不可用")
            gone.append(key)
            return True

        monkeypatch.setattr("server.audio.files._SOME", 1)
        monkeypatch.setattr(service.runtime.storage, "delete", stubborn)
        data_of(await owner.client.delete(f"{SESSIONS}/{session_id}"))
        assert [key.split("/")[0] for key in gone] == ["segments"]
        [left] = await rows(service, "SELECT key FROM audio.abandoned_files")
        assert left["key"].startswith("recordings/")

    async def test_what_a_killed_process_had_received_goes(self, service: Service) -> None:
        incoming = service.runtime.settings.data_dir / "storage" / "incoming"
        incoming.mkdir(parents=True)
        for name in ("old", "new"):
            (incoming / name).write_bytes(b"half of a recording")
        day_before = time.time() - 25 * 3600
        os.utime(incoming / "old", (day_before, day_before))
        await AudioUpkeep(service.runtime.system, service.runtime.storage, 1).tidy()
        assert [path.name for path in incoming.iterdir()] == ["new"]

    async def test_the_files_of_a_deleted_user_go(self, service: Service, owner: Owner) -> None:
        await owner.extract(await owner.analysed(), 0.5, 1.5)
        assert len(files_in(service)) == 2
        [row] = await rows(service, "SELECT user_id FROM audio.sessions")
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("DELETE FROM auth.users WHERE id = %s", (row["user_id"],))
        await AudioUpkeep(service.runtime.system, service.runtime.storage, 1).tidy()
        assert files_in(service) == []

    async def test_an_upload_that_is_under_way_is_left_alone(self, service: Service, owner: Owner) -> None:
        """Its file is provisional for an hour; after that a crash has forgotten it."""
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute(
                "INSERT INTO audio.abandoned_files (key, user_id, due_at)"
                " VALUES ('recordings/ab/abababababababababababababababab.audio', %s, now() + interval '1 hour')",
                (UUID(int=1),),
            )
        upkeep = AudioUpkeep(service.runtime.system, service.runtime.storage, 1)
        await upkeep.tidy()
        assert len(await rows(service, "SELECT key FROM audio.abandoned_files")) == 1
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE audio.abandoned_files SET due_at = now()")
        await upkeep.tidy()
        assert await rows(service, "SELECT key FROM audio.abandoned_files") == []
