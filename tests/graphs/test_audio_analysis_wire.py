"""The analysis over the vendors' real clients: what goes over the wire, how often, what is left there (K29, X027)."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.errors import ModelFailed
from core.settings import Settings
from nodes.common.resources import Resources, bind
from providers.models import Models
from tests.graphs.recording_setting import EXAMPLES, REVIEW, SESSION, THREAD, Setting, spoken_in
from tests.kit.model_faults import Body, CutStream, MalformedJson, SlowTokens, Status
from tests.kit.model_server import ModelServer

HOME = EXAMPLES / "home-for-new-year.m4a"
SPOKEN = spoken_in("home-for-new-year")
ROLES = ("transcribe", "review")
# By provider and by whether the recording, of half a megabyte as a WAV file, is uploaded first.
WAYS = {
    "openai": ("openai", {}),
    "dashscope": ("qwen", {}),
    "gemini inline": ("google_genai", {}),
    "gemini uploaded": ("google_genai", {"GOOGLE_INLINE_BYTES": "1000"}),
}


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.reset()
    running.script("transcribe", SPOKEN)
    running.script("review", REVIEW)
    return running


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def setting(tmp_path: Path) -> Setting:
    made = Setting(tmp_path)
    await made.keep(HOME)
    return made


@asynccontextmanager
async def asking(server: ModelServer, setting: Setting, way: str) -> AsyncIterator[None]:
    provider, more = WAYS[way]
    models = Models(Settings.load(server.environment(provider=provider, roles=ROLES) | more, dotenv=None))
    try:
        with bind(Resources(models=models, repositories=setting.resources().repositories)):
            yield
    finally:
        await models.aclose()


async def run(server: ModelServer, setting: Setting, way: str, given: dict[str, Any] | None) -> None:
    async with asking(server, setting, way):
        await setting.graph.ainvoke(given, THREAD)


def sound_of(server: ModelServer) -> bytes:
    """Return the sound of the newest request."""
    raw = server.requests("transcribe")[-1].raw
    if "contents" in raw:
        part = raw["contents"][0]["parts"][1]
        return base64.urlsafe_b64decode(part["inlineData"]["data"]) if "inlineData" in part else b""
    data = raw["messages"][1]["content"][1]["input_audio"]["data"]
    return base64.b64decode(data.removeprefix("data:;base64,"))


async def test_a_recording_is_heard_and_reviewed(server: ModelServer, setting: Setting, way: str) -> None:
    await run(server, setting, way, {"session_id": SESSION})
    assert len(setting.records.analyses[SESSION]["dialogues"]) == 4
    assert {role: server.calls(role) for role in ROLES} == {"transcribe": 1, "review": 1}
    [request] = server.requests("transcribe")
    # Qwen-Omni answers as a stream only.
    assert request.streamed
    assert request.system.startswith("你是一名专业的会话转写员")
    if way == "gemini uploaded":
        assert (len(server.files.deleted), server.files.kept) == (1, {})
    else:
        assert sound_of(server)[:4] == b"RIFF"
        assert server.files.requests == {}


@pytest.mark.parametrize(
    "fault", [Status(429), Status(503), MalformedJson(), CutStream(SPOKEN), Body("<html>", "text/html")], ids=str
)
async def test_a_fault_is_tried_again(server: ModelServer, setting: Setting, way: str, fault: Any) -> None:
    server.script("transcribe", fault, SPOKEN)
    server.script("review", fault, REVIEW)
    await run(server, setting, way, {"session_id": SESSION})
    assert len(setting.records.analyses[SESSION]["dialogues"]) == 4
    assert {role: server.calls(role) for role in ROLES} == {"transcribe": 2, "review": 2}
    # The upload is not repeated for it.
    assert server.files.requests.get("upload", 0) == (way == "gemini uploaded")


async def test_after_three_attempts_it_fails_and_goes_on_later(server: ModelServer, setting: Setting, way: str) -> None:
    server.script("transcribe", Status(503))
    with pytest.raises(ModelFailed):
        await run(server, setting, way, {"session_id": SESSION})
    assert server.calls("transcribe") == 3
    assert server.files.kept == {}
    server.script("transcribe", SPOKEN)
    await run(server, setting, way, None)
    assert {role: server.calls(role) for role in ROLES} == {"transcribe": 4, "review": 1}
    assert server.files.kept == {}


async def test_a_refused_request_is_sent_once(server: ModelServer, setting: Setting, way: str) -> None:
    server.script("transcribe", Status(400))
    with pytest.raises(ModelFailed):
        await run(server, setting, way, {"session_id": SESSION})
    assert server.calls("transcribe") == 1
    assert server.files.kept == {}


@pytest.mark.parametrize("step", ["start", "upload", "look"])
async def test_an_upload_is_tried_again(server: ModelServer, setting: Setting, step: str) -> None:
    server.files.states = ["PROCESSING", "ACTIVE", "PROCESSING", "ACTIVE"]
    server.files.refusals[step] = [503]
    await run(server, setting, "gemini uploaded", {"session_id": SESSION})
    assert server.files.requests["start"] == 2
    assert server.calls("transcribe") == 1
    assert server.files.kept == {}


async def test_an_upload_that_never_succeeds_is_the_models_failure(server: ModelServer, setting: Setting) -> None:
    server.files.refusals["start"] = [429] * 9
    with pytest.raises(ModelFailed):
        await run(server, setting, "gemini uploaded", {"session_id": SESSION})
    assert server.files.requests["start"] == 3
    assert server.calls("transcribe") == 0


async def test_a_model_in_a_loop_is_not_listened_to_for_long(server: ModelServer, setting: Setting) -> None:
    loop = SPOKEN.removesuffix("]}") + ', {"speaker": "Speaker_1", "start": 14.6, "end": 14.8, "text": "好的。"}' * 2000
    server.script("transcribe", SlowTokens(loop, 0.0005), SPOKEN)
    await run(server, setting, "openai", {"session_id": SESSION})
    assert server.calls("transcribe") == 2
    shown = server.requests("transcribe")[1].raw["messages"]
    assert "不断重复" in str(shown[-1]["content"])
    assert len(setting.records.analyses[SESSION]["dialogues"]) == 4
