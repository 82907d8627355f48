"""How recordings reach the vendors: the real clients against the local stand-in, and nothing is left there."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.genai.errors import APIError
from langchain_core.messages import HumanMessage

from core.settings import Settings
from providers.answers import BrokenAnswer
from providers.failures import is_model_error, is_retryable
from providers.models import Models
from providers.speech import google_files
from providers.speech.google import GoogleAudio
from providers.speech.model import WAV, AudioInput
from tests.kit.model_faults import Delay, Status
from tests.kit.model_server import ModelServer

SOUND = bytes(range(256)) * 40
TEXT = '{"segments": []}'


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.reset()
    running.script("transcribe", TEXT)
    return running


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "part-000.wav"
    path.write_bytes(SOUND)
    return path


def named(server: ModelServer, provider: str, **more: str) -> Models:
    environ = server.environment(provider=provider, roles=["transcribe"]) | more
    return Models(Settings.load(environ, dotenv=None))


@pytest.fixture
async def google(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Models]:
    """Gemini, with files of ours always uploaded, and no pauses."""
    monkeypatch.setattr(google_files, "_LONGEST_PAUSE", 0.01)
    models = named(server, "google_genai", GOOGLE_INLINE_BYTES="100")
    audio = models.audio_input("transcribe")
    assert isinstance(audio, GoogleAudio)
    audio._files._pause = 0.01
    yield models
    await models.aclose()


def given(audio: AudioInput | None) -> AudioInput:
    assert audio is not None
    return audio


async def asked(models: Models, path: Path, media_type: str = WAV) -> str:
    audio = given(models.audio_input("transcribe"))
    async with audio.attached(path, media_type) as block:
        message = HumanMessage([{"type": "text", "text": "听"}, block])
        return (await (await models.chat("transcribe")).ainvoke([message])).text


def sent_to_openai(server: ModelServer) -> Any:
    [request] = server.requests("transcribe")
    [message] = request.raw["messages"]
    return message["content"][1]


def sent_to_google(server: ModelServer) -> Any:
    [request] = server.requests("transcribe")
    [content] = request.raw["contents"]
    return content["parts"][1]


class TestInline:
    @pytest.mark.parametrize(
        ("provider", "prefix"), [("openai", ""), ("qwen", "data:;base64,")], ids=["openai", "dashscope"]
    )
    @pytest.mark.parametrize(("media_type", "form"), [(WAV, "wav"), ("audio/mpeg", "mp3")])
    async def test_openai_and_its_like(
        self, server: ModelServer, sound: Path, provider: str, prefix: str, media_type: str, form: str
    ) -> None:
        models = named(server, provider)
        assert await asked(models, sound, media_type) == TEXT
        data = prefix + base64.b64encode(SOUND).decode()
        assert sent_to_openai(server) == {"type": "input_audio", "input_audio": {"data": data, "format": form}}
        await models.aclose()

    @pytest.mark.parametrize(("media_type", "name"), [(WAV, WAV), ("audio/mpeg", "audio/mp3")])
    async def test_gemini_below_the_limit(self, server: ModelServer, sound: Path, media_type: str, name: str) -> None:
        models = named(server, "google_genai", GOOGLE_INLINE_BYTES=str(len(SOUND)))
        assert await asked(models, sound, media_type) == TEXT
        inline = sent_to_google(server)["inlineData"]
        assert base64.urlsafe_b64decode(inline["data"]) == SOUND
        assert inline["mime_type"] == name
        assert server.files.requests == {}
        await models.aclose()

    async def test_a_few_are_held_at_once(self, server: ModelServer, sound: Path) -> None:
        models = named(server, "openai")
        audio = given(models.audio_input("transcribe"))
        held = most = 0

        async def hold() -> None:
            nonlocal held, most
            async with audio.attached(sound, WAV):
                held += 1
                most = max(most, held)
                await asyncio.sleep(0.01)
                held -= 1

        await asyncio.gather(*(hold() for _ in range(30)))
        assert most == 8
        await models.aclose()


class TestFilesApi:
    async def test_uploaded_awaited_asked_and_deleted(self, server: ModelServer, google: Models, sound: Path) -> None:
        server.files.states = ["PROCESSING", "PROCESSING", "ACTIVE"]
        audio = given(google.audio_input("transcribe"))
        async with audio.attached(sound, "audio/mpeg") as block:
            [(name, kept)] = server.files.kept.items()
            assert kept == (SOUND, "audio/mp3")
            message = HumanMessage([{"type": "text", "text": "听"}, block])
            assert (await (await google.chat("transcribe")).ainvoke([message])).text == TEXT
        uri = f"https://generativelanguage.googleapis.com/v1beta/{name}"
        assert sent_to_google(server)["fileData"] == {"file_uri": uri, "mime_type": "audio/mp3"}
        assert (server.files.kept, server.files.deleted) == ({}, [name])
        assert server.files.requests == {"start": 1, "upload": 1, "look": 2, "delete": 1}

    async def test_deleted_when_the_model_fails(self, server: ModelServer, google: Models, sound: Path) -> None:
        server.script("transcribe", Status(503))
        with pytest.raises(Exception, match="503") as raised:
            await asked(google, sound)
        assert is_retryable(raised.value)
        assert server.files.kept == {}
        assert len(server.files.deleted) == 1

    async def test_deleted_when_the_run_is_cancelled(self, server: ModelServer, google: Models, sound: Path) -> None:
        server.script("transcribe", Delay(5, TEXT))
        task = asyncio.create_task(asked(google, sound))
        while not server.calls("transcribe"):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.files.kept == {}
        assert len(server.files.deleted) == 1

    async def test_deleted_when_the_cancelled_one_is_cancelled_again(
        self, server: ModelServer, google: Models, sound: Path
    ) -> None:
        audio = given(google.audio_input("transcribe"))
        begun = asyncio.Event()

        async def hold() -> None:
            async with audio.attached(sound, WAV):
                begun.set()
                await asyncio.sleep(5)

        task = asyncio.create_task(hold())
        await begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await google.aclose()
        assert server.files.kept == {}

    @pytest.mark.parametrize(
        "place", ["{at}@{to}/u", ".{to}/u", "http:{at}@{to}/u", "http://x", "//{to}", "x", "http://["]
    )
    async def test_a_place_that_is_no_path_is_refused(
        self, server: ModelServer, google: Models, sound: Path, place: str
    ) -> None:
        """Behind the configured address, it would be a part of the host's name."""
        server.files.place = place.format(at=":0", to="elsewhere.invalid")
        with pytest.raises(BrokenAnswer):
            await asked(google, sound)
        assert "upload" not in server.files.requests

    async def test_deleted_when_it_cannot_be_processed(self, server: ModelServer, google: Models, sound: Path) -> None:
        server.files.states = ["PROCESSING", "FAILED"]
        with pytest.raises(BrokenAnswer):
            await asked(google, sound)
        assert server.files.kept == {}
        assert server.calls("transcribe") == 0

    @pytest.mark.parametrize("step", ["start", "upload", "look"])
    @pytest.mark.parametrize(("status", "again"), [(429, True), (503, True), (400, False), (403, False)])
    async def test_refusals_are_the_models(
        self,
        server: ModelServer,
        google: Models,
        sound: Path,
        step: str,
        status: int,
        again: bool,  # noqa: FBT001
    ) -> None:
        server.files.states = ["PROCESSING", "ACTIVE"]
        server.files.refusals[step] = [status]
        with pytest.raises(APIError) as raised:
            await asked(google, sound)
        assert raised.value.code == status
        assert is_model_error(raised.value)
        assert is_retryable(raised.value) is again
        assert server.files.requests[step] == 1
        assert server.files.kept == {}

    async def test_a_deletion_is_tried_again(self, server: ModelServer, google: Models, sound: Path) -> None:
        server.files.refusals["delete"] = [503, 500]
        assert await asked(google, sound) == TEXT
        assert server.files.kept == {}

    async def test_what_cannot_be_deleted_fails_nothing(self, server: ModelServer, google: Models, sound: Path) -> None:
        server.files.refusals["delete"] = [503] * 9
        assert await asked(google, sound) == TEXT
        assert server.files.requests["delete"] == 3

    async def test_a_server_that_is_not_there(self, server: ModelServer, sound: Path) -> None:
        environ = {"GOOGLE_INLINE_BYTES": "0", "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9"}
        models = named(server, "google_genai", **environ)
        audio = models.audio_input("transcribe")
        assert isinstance(audio, GoogleAudio)
        audio._files._pause = 0
        with pytest.raises(httpx.ConnectError) as raised:
            await asked(models, sound)
        assert is_model_error(raised.value)
        assert is_retryable(raised.value)
        await models.aclose()


async def test_the_offline_model_cannot_hear() -> None:
    models = Models(Settings.load({}, dotenv=None))
    assert models.audio_input("transcribe") is None
    await models.aclose()


def test_parts_fit_what_each_vendor_takes() -> None:
    environ = {"GOOGLE_API_KEY": "k", "DASHSCOPE_API_KEY": "k", "OPENAI_API_KEY": "k"}
    found = {}
    for provider in ("google_genai", "openai", "qwen"):
        models = Models(Settings.load(environ | {"MODEL_TRANSCRIBE": f"{provider}:x"}, dotenv=None))
        audio = given(models.audio_input("transcribe"))
        found[provider] = (
            audio.most_bytes // 1024**2,
            "audio/mpeg" in audio.media_types,
            "audio/ogg" in audio.media_types,
        )
    assert found == {"google_genai": (16, True, False), "openai": (14, True, False), "qwen": (7, True, False)}
