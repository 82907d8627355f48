"""Uploads over HTTP: T02's first half, A021, A022, G05, X034."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.kit.app import Service, running_service
from tests.kit.model_server import ModelServer
from tests.server.audio.conftest import UPLOAD, VTT, Owner, data_of, environment, files_in, refusal, rows


class TestUpload:
    async def test_nobody_uploads_without_a_login(self, anonymous: httpx.AsyncClient, wav: bytes) -> None:
        response = await anonymous.post(UPLOAD, files={"file": ("a.wav", wav)})
        assert refusal(response) == 401

    async def test_it_is_taken_in_at_once_and_analysed_then(
        self, service: Service, owner: Owner, scripted: ModelServer
    ) -> None:
        data = data_of(await owner.upload())
        assert list(data) == ["session_id", "title", "status", "created_at"]
        UUID(data["session_id"])
        assert (data["title"], data["status"]) == ("会议", "pending")
        assert data["created_at"].endswith("Z")
        ended = await owner.ended(data["session_id"])
        assert list(ended) == [
            *("session_id", "status", "progress", "estimatedTimeRemaining", "failureReason", "updated_at"),
        ]
        assert ended["status"] == "completed"
        assert (ended["progress"], ended["estimatedTimeRemaining"], ended["failureReason"]) == (100, 0, None)
        [row] = await rows(service, "SELECT * FROM audio.sessions")
        assert (row["duration"], row["status"], row["media_type"]) == (3.0, "completed", "audio/wav")
        assert (row["speaker_count"], row["emotion_score"], row["tags"]) == (2, 40.0, ["工作"])
        assert row["analysis_seconds"] > 0
        [file] = files_in(service, "recordings")
        assert file.read_bytes() == owner.wav
        assert await rows(service, "SELECT * FROM audio.abandoned_files") == []

    async def test_a_brought_transcript_is_what_was_said(self, owner: Owner, scripted: ModelServer) -> None:
        session_id = await owner.analysed(transcript=VTT, title="  周会\n纪要 ")
        detail = data_of(await owner.get(session_id))
        assert detail["title"] == "周会 纪要"
        assert detail["analysis"]["dialogues"] == [{"speaker": "老板", "start": 0.5, "end": 1.5, "text": "快点"}]
        assert scripted.calls("transcribe") == 0

    async def test_fields_in_any_order(self, owner: Owner, wav: bytes) -> None:
        body = multipart(("title", None, b"t"), ("transcript", "x", VTT), ("file", "x.wav", wav))
        response = await owner.client.post(UPLOAD, content=body, headers=FORM)
        assert data_of(response)["title"] == "t"

    @pytest.mark.parametrize(
        ("name", "title"),
        [("../../x.wav", "x"), ("..\\..\\y.wav", "y"), ("a\u202eb\x01.wav", "ab"), ("x" * 500 + ".wav", "x" * 200)],
    )
    async def test_names_are_only_titles(self, service: Service, owner: Owner, name: str, title: str) -> None:
        body = multipart(("file", name, owner.wav))
        assert data_of(await owner.client.post(UPLOAD, content=body, headers=FORM))["title"][:200] == title[:200]
        [file] = files_in(service)
        assert file.is_relative_to(service.runtime.settings.data_dir / "storage" / "recordings")
        assert file.name.endswith(".audio")

    async def test_without_a_name_it_is_called_by_its_time(self, owner: Owner) -> None:
        response = await owner.client.post(UPLOAD, content=multipart(("file", "", owner.wav)), headers=FORM)
        assert data_of(response)["title"].startswith("录音 20")


class TestTheSameAgain:
    async def test_one_key_one_session(self, service: Service, owner: Owner) -> None:
        headers = {"idempotency-key": "k1"}
        first, second = await asyncio.gather(owner.upload(headers=headers), owner.upload(headers=headers))
        assert data_of(first) == data_of(second)
        assert data_of(await owner.upload(headers=headers)) == data_of(first)
        assert len(await rows(service, "SELECT id FROM audio.sessions")) == 1
        assert len(await rows(service, "SELECT id FROM platform.runs WHERE workflow = 'audio_analysis'")) == 1
        assert len(files_in(service)) == 1

    async def test_another_request_under_the_key_is_refused(self, service: Service, owner: Owner) -> None:
        headers = {"idempotency-key": "k1"}
        await owner.uploaded(headers=headers)
        assert refusal(await owner.upload(headers=headers, title="另一个")) == 400
        assert len(files_in(service)) == 1

    async def test_keys_are_each_users_own_and_last_a_day(self, service: Service, owner: Owner, other: Owner) -> None:
        headers = {"idempotency-key": "k1"}
        first = await owner.uploaded(headers=headers)
        assert await other.uploaded(headers=headers) != first
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE audio.sessions SET created_at = created_at - interval '25 hours'")
        assert await owner.uploaded(headers=headers) != first

    async def test_a_key_that_is_none(self, service: Service, owner: Owner) -> None:
        assert refusal(await owner.upload(headers={"idempotency-key": "a b"})) == 400
        assert files_in(service) == []


class TestForms:
    async def test_what_is_no_form(self, service: Service, owner: Owner) -> None:
        whole = multipart(("file", "a.wav", owner.wav))
        for content, kind in [
            (b"{}", "application/json"),
            (owner.wav, "audio/wav"),
            (b"", FORM["content-type"]),
            (whole[: len(whole) // 2], FORM["content-type"]),
            (b"--x\r\n" + bytes(100), FORM["content-type"]),
            (whole, "multipart/form-data"),
            (whole, "multipart/form-data; boundary=" + "y" * 300),
            (multipart(("title", None, b"t")), FORM["content-type"]),
            (multipart(("file", "a", owner.wav), ("file", "b", owner.wav)), FORM["content-type"]),
            (multipart(("file", "a", owner.wav), ("user_id", None, b"x")), FORM["content-type"]),
            (multipart(("file", "a", owner.wav), ("title", None, b"\xff")), FORM["content-type"]),
            (multipart(("file", "a", owner.wav), ("title", None, b"t" * 201)), FORM["content-type"]),
            (multipart(("file", "a", owner.wav), *[(f"f{n}", None, b"") for n in range(50)]), FORM["content-type"]),
        ]:
            response = await owner.client.post(UPLOAD, content=content, headers={"content-type": kind})
            assert refusal(response) == 400, content[:40]
        assert files_in(service) == []
        assert await rows(service, "SELECT id FROM audio.sessions") == []

    async def test_a_body_over_the_limit_is_not_read(self, service: Service, owner: Owner) -> None:
        read = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal read
            yield b"--x\r\n" + HEAD.format("file").encode()
            while True:
                read += 64 * 1024
                yield bytes(64 * 1024)

        most = service.runtime.settings.max_recording_bytes
        response = await owner.client.post(UPLOAD, content=body(), headers=FORM)
        assert refusal(response) == 413
        assert most < read < most + 2 * 1024 * 1024
        assert files_in(service) == []

    async def test_a_long_body_is_refused_by_its_length(self, owner: Owner) -> None:
        headers = FORM | {"content-length": str(10**9)}
        assert refusal(await owner.client.post(UPLOAD, content=b"--x", headers=headers)) == 413


HEAD = 'Content-Disposition: form-data; name="{}"; filename="a.wav"\r\n\r\n'
FORM = {"content-type": "multipart/form-data; boundary=x"}


def multipart(*parts: tuple[str, str | None, bytes]) -> bytes:
    """Write a form by hand: as clients do that do not clean up names."""
    body = b""
    for name, filename, content in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        body += f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
    return body + b"--x--\r\n"


class TestLimits:
    @pytest.fixture
    async def service(self, database_url: str, tmp_path: Path, scripted: ModelServer) -> AsyncIterator[Service]:
        environ = environment(scripted, RATE_LIMIT_UPLOADS="2/minute")
        async with running_service(database_url, tmp_path / "data", environ) as service:
            yield service

    async def test_so_many_uploads_and_no_more(self, service: Service, owner: Owner) -> None:
        for _ in range(2):
            await owner.uploaded()
        response = await owner.upload()
        assert refusal(response) == 429
        assert int(response.headers["retry-after"]) >= 1
        assert len(files_in(service)) == 2


async def test_a_client_that_goes_away_leaves_nothing(service: Service, owner: Owner) -> None:
    """As the server tells it: a first piece of the body, then nobody is there any more."""
    first = b"--x\r\n" + HEAD.format("file").encode() + owner.wav[:100_000]
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": first, "more_body": True},
        {"type": "http.disconnect"},
    ]
    request = owner.client.build_request("POST", UPLOAD, headers=FORM)
    scope = {
        "type": "http",
        "method": "POST",
        "path": UPLOAD,
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw if name != b"content-length"],
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    app: Any = service.client._transport
    await app.app(scope, receive, send)
    assert messages == []
    assert sent[0]["status"] == 400
    assert files_in(service) == []
    assert await rows(service, "SELECT * FROM audio.abandoned_files") == []
