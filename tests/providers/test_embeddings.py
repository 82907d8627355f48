"""Embeddings at the wire: the vendors' real clients against the local stand-in (X025, X026, X027)."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from core.settings import Settings, SettingsError
from providers.embeddings import Embedder, embedder_of
from providers.failures import is_model_error, is_retryable, retry_after
from providers.usage import Usage
from tests.kit.embeddings import meaning
from tests.kit.model_faults import Body, CutStream, Delay, MalformedJson, Status
from tests.kit.model_server import ModelServer

TEXTS = ["电池能用三十二小时。", "Shipping takes two days.", "保修三年"]


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.reset()
    return running


@pytest.fixture(params=["openai", "qwen", "google_genai"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def settings(server: ModelServer, provider: str, **more: str) -> Settings:
    environ = server.environment(provider=provider, roles=["embed"]) | {"MODEL_EMBED_TIMEOUT_SECONDS": "1"} | more
    return Settings.load(environ, dotenv=None)


@pytest.fixture
async def embedder(server: ModelServer, provider: str) -> AsyncIterator[Embedder]:
    made = embedder_of(settings(server, provider))
    assert made is not None
    yield made
    await made.aclose()


@pytest.fixture(params=["passages", "question"])
def asked(request: pytest.FixtureRequest, embedder: Embedder) -> Any:
    async def ask(calls: list[Usage]) -> object:
        if request.param == "passages":
            return await embedder.passages(TEXTS, calls)
        return await embedder.question("电池", calls)

    return ask


async def test_passages(server: ModelServer, embedder: Embedder, provider: str) -> None:
    calls: list[Usage] = []
    vectors = await embedder.passages(TEXTS, calls)
    assert vectors == [pytest.approx(meaning(text)) for text in TEXTS]
    [request] = server.requests("embed")
    assert request.raw["texts"] == TEXTS
    if provider == "google_genai":
        assert {each["taskType"] for each in request.raw["requests"]} == {"RETRIEVAL_DOCUMENT"}
    else:
        # Words, not token numbers, which only OpenAI itself understands.
        assert (request.raw["input"], request.raw["encoding_format"]) == (TEXTS, "float")
    [call] = calls
    assert (call.role, call.model, call.failed) == ("embed", f"{provider}:embed", False)
    assert call.input_tokens == (0 if provider == "google_genai" else 7 * len(TEXTS))


async def test_a_question(server: ModelServer, embedder: Embedder, provider: str) -> None:
    assert await embedder.question("How long does the battery last?", []) == pytest.approx(meaning("battery"))
    [request] = server.requests("embed")
    if provider == "google_genai":
        assert request.raw["requests"][0]["taskType"] == "RETRIEVAL_QUERY"


async def test_a_whole_batch_is_one_call(server: ModelServer, embedder: Embedder) -> None:
    texts = [f"第{number}段：" + "电池。" * 260 for number in range(embedder.batch)]
    assert len(await embedder.passages(texts, [])) == embedder.batch
    assert server.calls("embed") == 1


@pytest.mark.parametrize(
    ("fault", "retryable"),
    [
        (Status(429), True),
        (Status(500), True),
        (Status(503), True),
        (Delay(3), True),
        (CutStream(), True),
        (MalformedJson(), True),
        (Body("<html>Bad gateway</html>", "text/html"), True),
        (Body("null"), True),
        (Body('{"data": [], "embeddings": []}'), True),
        (Body('{"data": null, "embeddings": null}'), True),
        (Body('{"data": [{"embedding": [0.0]}], "embeddings": [{"values": [0.0]}]}'), True),
        (Body('{"data": [{"embedding": ["a"]}], "embeddings": [{"values": ["a"]}]}'), True),
        (Body('{"data": [{"embedding": []}], "embeddings": [{"values": []}]}'), True),
        (Status(400), False),
        (Status(401), False),
        (Status(404), False),
        (Status(413), False),
    ],
    ids=str,
)
async def test_faults(server: ModelServer, asked: Any, fault: Any, retryable: bool) -> None:  # noqa: FBT001
    server.script("embed", fault)
    calls: list[Usage] = []
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the vendor's business
        await asked(calls)
    assert is_model_error(raised.value), repr(raised.value)
    assert is_retryable(raised.value) is retryable, repr(raised.value)
    # No client tries again by itself.
    assert server.calls("embed") == 1
    assert [(call.role, call.failed) for call in calls] == [("embed", True)]


async def test_fewer_vectors_than_texts(server: ModelServer, embedder: Embedder) -> None:
    [first, second] = meaning("电池"), [1.0, 2.0]
    for vectors in ([first], [first, first, second]):
        body = {"data": [{"embedding": v} for v in vectors], "embeddings": [{"values": v} for v in vectors]}
        server.script("embed", Body(json.dumps(body)))
        with pytest.raises(Exception, match="vectors for 3 texts") as raised:
            await embedder.passages(TEXTS, [])
        assert is_retryable(raised.value)


async def test_the_time_to_wait_is_read(server: ModelServer, embedder: Embedder) -> None:
    server.script("embed", Status(429, retry_after=7))
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the vendor's business
        await embedder.question("电池", [])
    assert retry_after(raised.value) == 7


async def test_a_server_that_is_not_there(server: ModelServer, provider: str) -> None:
    environ = server.environment(provider=provider, roles=["embed"])
    dead = {name: value.replace(server.address, "http://127.0.0.1:9") for name, value in environ.items()}
    made = embedder_of(Settings.load(dead, dotenv=None))
    assert made is not None
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the vendor's business
        await made.question("电池", [])
    await made.aclose()
    assert is_model_error(raised.value)
    assert is_retryable(raised.value)


@pytest.mark.parametrize("environ", [{}, {"MODEL_EMBED": "offline"}, {"MODEL_EMBED": ""}])
def test_nothing_embeds_unless_it_is_asked_for(environ: dict[str, str]) -> None:
    given = Settings.load({"MODEL_DEFAULT": "openai:gpt", "OPENAI_API_KEY": "k"} | environ, dotenv=None)
    assert embedder_of(given) is None
    assert not given.embeds


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"MODEL_EMBED": "text-embedding-3-small"}, "MODEL_EMBED"),
        ({"MODEL_EMBED": "openai:text-embedding-3-small"}, "OPENAI_API_KEY"),
        ({"MODEL_EMBED": "google_genai:gemini-embedding-001"}, "GOOGLE_API_KEY"),
        ({"MODEL_EMBED": "qwen:text-embedding-v4"}, "DASHSCOPE_API_KEY"),
    ],
)
def test_names_that_cannot_be_used(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        embedder_of(Settings.load(environ, dotenv=None))
