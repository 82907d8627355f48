"""Every provider × every fault, at the wire: the vendors' real clients against the local stand-in (X026, X027)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from core.settings import Settings
from providers.failures import is_model_error, is_retryable, retry_after
from providers.models import Models
from providers.usage import Usage, UsageCollector
from tests.kit.model_faults import Body, CutStream, Delay, MalformedJson, SlowTokens, Status
from tests.kit.model_server import ModelServer

TEXT = "客户咨询价格，明天再联系。"
QUESTION = [SystemMessage("规则"), HumanMessage("请总结")]


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


@pytest.fixture
async def models(server: ModelServer, provider: str) -> AsyncIterator[Models]:
    environ = server.environment(provider=provider, roles=["summary"]) | {"MODEL_SUMMARY_TIMEOUT_SECONDS": "1"}
    made = Models(Settings.load(environ, dotenv=None))
    yield made
    await made.aclose()


@pytest.fixture
async def model(models: Models) -> BaseChatModel:
    return await models.chat("summary")


@pytest.fixture(params=["whole", "streamed"])
def asked(request: pytest.FixtureRequest, model: BaseChatModel) -> Any:
    """Ask the model, at once or as a stream; give the text."""

    async def ask(**options: Any) -> str:
        if request.param == "whole":
            return (await model.ainvoke(QUESTION, **options)).text
        return "".join([chunk.text async for chunk in model.astream(QUESTION, **options)])

    return ask


async def test_the_answer(server: ModelServer, asked: Any) -> None:
    server.script("summary", TEXT)
    assert await asked() == TEXT


async def test_what_is_sent(server: ModelServer, asked: Any) -> None:
    await asked()
    [request] = server.requests("summary")
    assert (request.system, request.user) == ("规则", "请总结")
    assert (request.max_tokens, request.temperature) == (200, 0.2)


async def test_usage_is_noted(server: ModelServer, asked: Any, models: Models) -> None:
    server.script("summary", TEXT)
    collector = UsageCollector()
    await asked(config={"callbacks": [collector]})
    [usage] = collector.drain()
    assert (usage.role, usage.model) == ("summary", models.name("summary"))
    assert (usage.input_tokens, usage.output_tokens, usage.failed) == (11, len(TEXT), False)
    assert collector.drain() == []


async def test_a_slow_stream_is_no_timeout(server: ModelServer, model: BaseChatModel) -> None:
    server.script("summary", SlowTokens(TEXT, 0.5))
    assert "".join([chunk.text async for chunk in model.astream(QUESTION)]) == TEXT


@pytest.mark.parametrize(
    ("fault", "retryable"),
    [
        (Status(429), True),
        (Status(500), True),
        (Status(503), True),
        (Delay(3), True),
        (CutStream(), True),
        (CutStream(quietly=True), True),
        (MalformedJson(), True),
        (Body("<html>Bad gateway</html>", "text/html"), True),
        (Body("null"), True),
        (Body('{"choices": null}'), True),
        (Body('{"choices": [], "candidates": []}'), True),
        (Body('{"error": {"message": "overloaded", "code": 503}}'), True),
        (Status(400), False),
        (Status(401), False),
        (Status(403), False),
        (Status(404), False),
        (Status(413), False),
        (Status(422), False),
    ],
    ids=str,
)
async def test_faults(server: ModelServer, asked: Any, fault: Any, retryable: bool) -> None:  # noqa: FBT001
    server.script("summary", fault)
    collector = UsageCollector()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the vendor's business
        await asked(config={"callbacks": [collector]})
    assert is_model_error(raised.value), repr(raised.value)
    assert is_retryable(raised.value) is retryable, repr(raised.value)
    # No client tries again by itself.
    assert server.calls("summary") == 1
    [usage] = collector.drain()
    assert usage == Usage(
        role="summary", model=usage.model, input_tokens=0, output_tokens=0, latency_ms=usage.latency_ms, failed=True
    )


@pytest.mark.parametrize(
    ("kind", "retryable"), [("server_error", True), ("rate_limit_error", True), ("invalid_request_error", False)]
)
async def test_an_error_event_in_a_stream(server: ModelServer, kind: str, retryable: bool) -> None:  # noqa: FBT001
    body = json.dumps({"error": {"message": "scripted", "type": kind, "code": kind}})
    server.script("summary", Body(f"data: {body}\n\n", "text/event-stream"))
    models = Models(Settings.load(server.environment(provider="openai", roles=["summary"]), dotenv=None))
    model = await models.chat("summary")
    with pytest.raises(openai.APIError) as raised:
        await anext(model.astream(QUESTION))
    await models.aclose()
    assert is_model_error(raised.value)
    assert is_retryable(raised.value) is retryable


async def test_a_blocked_prompt_is_an_empty_answer(server: ModelServer) -> None:
    feedback = '{"promptFeedback": {"blockReason": "SAFETY"}}'
    server.script("summary", Body(feedback), Body(f"data: {feedback}\n\n", "text/event-stream"))
    models = Models(Settings.load(server.environment(provider="google_genai", roles=["summary"]), dotenv=None))
    model = await models.chat("summary")
    assert (await model.ainvoke(QUESTION)).text == ""
    assert [chunk.text async for chunk in model.astream(QUESTION) if chunk.text] == []
    await models.aclose()


async def test_who_stops_listening_is_noted(server: ModelServer, model: BaseChatModel) -> None:
    server.script("summary", SlowTokens(TEXT, 0.05))
    collector = UsageCollector()

    async def listen() -> None:
        async for _ in model.astream(QUESTION, config={"callbacks": [collector]}):
            listening.set()

    listening = asyncio.Event()
    task = asyncio.create_task(listen())
    await listening.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [usage] = collector.drain()
    assert (usage.role, usage.failed) == ("summary", True)


async def test_the_time_to_wait_is_read(server: ModelServer, provider: str, model: BaseChatModel) -> None:
    server.script("summary", Status(429, retry_after=7))
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the vendor's business
        await model.ainvoke(QUESTION)
    # Google's own error keeps the response under another class; both are read alike.
    assert retry_after(raised.value) == 7, provider


async def test_a_server_that_is_not_there(server: ModelServer, provider: str) -> None:
    environ = server.environment(provider=provider, roles=["summary"])
    dead = {name: value.replace(server.address, "http://127.0.0.1:9") for name, value in environ.items()}
    models = Models(Settings.load(dead, dotenv=None))
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the vendor's business
        await (await models.chat("summary")).ainvoke(QUESTION)
    await models.aclose()
    assert is_model_error(raised.value)
    assert is_retryable(raised.value)
