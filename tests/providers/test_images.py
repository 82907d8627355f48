"""Both painters at the wire: the vendors' real clients against the local stand-in (G11, K29, X027)."""

import base64
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from PIL import Image

from core.errors import ModelFailed
from core.settings import Settings, SettingsError
from nodes.common.attempts import paint
from nodes.common.resources import Resources, bind
from providers.failures import is_model_error, is_retryable
from providers.images.bounds import MOST_ANSWER, AnswerTooLarge
from providers.images.build import build
from providers.images.model import MOST_BYTES, Cards, NoPicture, Painter
from providers.limits import limits_of
from providers.models import Models
from providers.usage import UsageCollector
from providers.vendors import ModelName
from tests.kit.model_faults import Body, CutStream, Delay, MalformedJson, Status
from tests.kit.model_server import ModelServer


def png() -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 20, 20)).save(output, "PNG")
    return output.getvalue()


PICTURE = png()
WRONG = "iVBOR*"


def body(encoded: str) -> Body:
    """Return an answer that both vendors' clients take for one with a picture."""
    part = {"inlineData": {"mimeType": "image/png", "data": encoded}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    return Body(json.dumps({"created": 1, "data": [{"b64_json": encoded}], "candidates": [candidate]}))


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.reset()
    return running


@pytest.fixture(params=["openai", "google_genai"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def models(server: ModelServer, provider: str) -> AsyncIterator[Models]:
    environ = server.environment(provider=provider, roles=["image"]) | {"MODEL_IMAGE_TIMEOUT_SECONDS": "1"}
    made = Models(Settings.load(environ, dotenv=None))
    yield made
    await made.aclose()


@pytest.fixture
async def painter(models: Models) -> Painter:
    made = await models.painter()
    assert made is not None
    assert not isinstance(made, Cards)
    return made


async def test_the_picture(server: ModelServer, painter: Painter) -> None:
    server.script("image", PICTURE)
    assert await painter.paint("两个人在谈话") == PICTURE
    [request] = server.requests("image")
    assert request.user == "两个人在谈话"


async def test_what_is_sent(server: ModelServer, painter: Painter, provider: str) -> None:
    server.script("image", PICTURE)
    await painter.paint("谈话")
    [request] = server.requests("image")
    if provider == "openai":
        wanted = {"model": "image", "prompt": "谈话", "n": 1, "size": "1024x1024", "response_format": "b64_json"}
        assert request.raw == wanted
    else:
        assert request.raw["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]


async def test_openais_present_models_are_not_told_the_form(server: ModelServer) -> None:
    for model, address, told in (
        ("gpt-image-1", "", False),
        ("dall-e-3", "", True),
        ("gpt-image-1", server.address, True),
    ):
        settings = Settings.load({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": address}, dotenv=None)
        made: Any = build(ModelName("openai", model), limits_of("image", settings), settings, {})
        assert made.names_format is told
        await made.http_async_client.aclose()


async def test_usage_is_noted(server: ModelServer, models: Models) -> None:
    server.script("image", PICTURE)
    collector = UsageCollector()
    await (await models.chat("image")).ainvoke("谈话", config={"callbacks": [collector]})
    [usage] = collector.drain()
    assert (usage.role, usage.model) == ("image", models.name("image"))
    assert (usage.input_tokens, usage.output_tokens, usage.failed) == (11, 4, False)


@pytest.mark.parametrize(
    ("fault", "retryable"),
    [
        (Status(429), True),
        (Status(500), True),
        (Delay(3), True),
        (CutStream(), True),
        (MalformedJson(), True),
        (Body("<html>Bad gateway</html>", "text/html"), True),
        (Body("null"), True),
        (Body('{"data": [], "candidates": []}'), True),
        (body(WRONG), True),
        (Status(400), False),
        (Status(401), False),
        (Status(404), False),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_faults(server: ModelServer, painter: Painter, fault: Any, retryable: bool) -> None:  # noqa: FBT001
    server.script("image", fault)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the vendor's business
        await painter.paint("谈话")
    assert is_model_error(raised.value), repr(raised.value)
    assert is_retryable(raised.value) is retryable, repr(raised.value)
    # No client tries again by itself.
    assert server.calls("image") == 1


async def test_a_huge_answer_is_not_read_to_its_end(server: ModelServer, painter: Painter) -> None:
    """The picture in it would be small enough."""
    whole = json.loads(body(base64.b64encode(PICTURE).decode()).text)
    server.script("image", Body(json.dumps(whole | {"padding": "A" * (MOST_ANSWER + 1)})))
    with pytest.raises(AnswerTooLarge) as raised:
        await painter.paint("谈话")
    assert is_model_error(raised.value)
    assert not is_retryable(raised.value)


async def test_a_huge_picture(server: ModelServer, painter: Painter, provider: str) -> None:
    """The answer is within its bound, the picture in it is not."""
    whole = json.loads(body("AAAA" * (MOST_BYTES // 3 + 2)).text)
    del whole["data" if provider == "google_genai" else "candidates"]
    server.script("image", Body(json.dumps(whole)))
    with pytest.raises(AnswerTooLarge):
        await painter.paint("谈话")


async def test_an_answer_without_a_picture(server: ModelServer, painter: Painter, provider: str) -> None:
    """A model that declines says so in words; an address instead of a picture is nothing that is fetched."""
    address = f"{server.address}/v1/picture.png"
    server.script("image", Body(json.dumps({"created": 1, "data": [{"url": address}]})))
    if provider == "google_genai":
        server.script("image", "我不能画这个。")
    with pytest.raises(NoPicture):
        await painter.paint("谈话")
    assert server.calls("image") == 1


async def test_attempts_are_made_in_one_place(server: ModelServer, models: Models, painter: Painter) -> None:
    with bind(Resources(models=models)):
        server.script("image", Status(500), Status(429), PICTURE)
        assert await paint(painter, "谈话") == PICTURE
        assert server.calls("image") == 3
        server.script("image", Status(400))
        with pytest.raises(ModelFailed):
            await paint(painter, "谈话")
        assert server.calls("image") == 4


@pytest.mark.parametrize(
    ("environ", "kind", "told"),
    [
        ({}, Cards, "offline"),
        ({"MODEL_DEFAULT": "qwen:a", "MODEL_IMAGE": "offline"}, Cards, "offline"),
        ({"MODEL_DEFAULT": "qwen:a"}, type(None), None),
        ({"MODEL_DEFAULT": "google_genai:a"}, type(None), None),
    ],
)
async def test_where_nothing_paints(environ: dict[str, str], kind: type, told: str | None) -> None:
    models = Models(Settings.load(environ | {"DASHSCOPE_API_KEY": "k", "GOOGLE_API_KEY": "k"}, dotenv=None))
    assert isinstance(await models.painter(), kind)
    assert models.describe().get("image") == told
    await models.aclose()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MODEL_IMAGE": "qwen:wan", "DASHSCOPE_API_KEY": "k"}, "MODEL_IMAGE: qwen:wan cannot paint here"),
        ({"MODEL_IMAGE": "google_genai:x"}, "MODEL_IMAGE is google_genai:x, which needs GOOGLE_API_KEY"),
        ({"MODEL_IMAGE": "openai:x"}, "needs OPENAI_API_KEY"),
    ],
)
def test_what_cannot_be_used_stops_the_start(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Models(Settings.load(environ, dotenv=None))


def test_the_wrong_base64_is_wrong() -> None:
    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(WRONG, validate=True)
