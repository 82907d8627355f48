"""The retry policy (X027). Waits are the real ones: a second in all."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from structlog.testing import capture_logs

from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.common.resources import Resources, bind
from tests.kit.fake_models import Breaks, FakeModels, RoleModels, Script, ScriptedModel

QUESTION = [HumanMessage("secret words")]
SLOW = httpx.ReadTimeout("slow")


class TooManyRequests(httpx.HTTPStatusError):
    """As the vendors' clients raise it, with the seconds that the vendor asks for."""

    status_code = 429

    def __init__(self, seconds: str) -> None:
        request = httpx.Request("POST", "http://127.0.0.1")
        response = httpx.Response(429, headers={"retry-after": seconds}, request=request)
        super().__init__("too many", request=request, response=response)


@contextmanager
def scripted(*script: Script, max_attempts: int = 3) -> Iterator[ScriptedModel]:
    model = ScriptedModel(*script)
    with bind(Resources(models=FakeModels(model, max_attempts))):
        yield model


async def test_an_answer_has_its_text_and_tokens() -> None:
    with scripted("hello") as model:
        answer = await ask("summary", QUESTION)
    assert (answer.text, answer.total_tokens, len(model.requests)) == ("hello", 10, 1)


async def test_text_comes_in_pieces_and_the_answer_is_whole() -> None:
    pieces: list[str] = []
    with scripted("hello world"):
        answer = await ask("summary", QUESTION, on_text=pieces.append)
    assert pieces == ["hel", "lo ", "wor", "ld"]
    assert (answer.text, answer.total_tokens) == ("hello world", 10)


async def test_content_in_blocks_is_read_as_text_and_missing_usage_is_zero() -> None:
    blocks = AIMessage(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    with scripted(blocks):
        answer = await ask("summary", QUESTION)
    assert (answer.text, answer.total_tokens) == ("ab", 0)


async def test_a_failure_that_may_pass_is_tried_again() -> None:
    with scripted(Breaks(SLOW), "late") as model:
        started = time.monotonic()
        assert (await ask("summary", QUESTION)).text == "late"
    assert len(model.requests) == 2
    assert 0.2 <= time.monotonic() - started < 1


async def test_attempts_are_bounded_and_the_cause_is_kept() -> None:
    with scripted(Breaks(SLOW), max_attempts=2) as model, pytest.raises(ModelFailed) as failed:
        await ask("summary", QUESTION)
    assert len(model.requests) == 2
    assert failed.value.__cause__ is SLOW
    assert (failed.value.code, failed.value.message) == ("MODEL_FAILED", "模型暂时不可用，请稍后再试")


async def test_a_refused_request_is_not_sent_again() -> None:
    refused = httpx.HTTPStatusError("bad", request=httpx.Request("POST", "http://x"), response=httpx.Response(400))
    with scripted(Breaks(refused)) as model, pytest.raises(ModelFailed):
        await ask("summary", QUESTION)
    assert len(model.requests) == 1


async def test_an_error_of_our_own_is_no_model_failure() -> None:
    with scripted(Breaks(ZeroDivisionError())) as model, pytest.raises(ZeroDivisionError):
        await ask("summary", QUESTION)
    assert len(model.requests) == 1


async def test_a_stream_that_breaks_begins_again_once() -> None:
    seen: list[str] = []
    with scripted(Breaks(SLOW, "hal"), Breaks(SLOW), "whole"):
        answer = await ask("summary", QUESTION, on_text=seen.append, on_restart=lambda: seen.append("|"))
    assert seen == ["hal", "|", "who", "le"]
    assert answer.text == "whole"


async def test_the_vendors_wait_is_kept() -> None:
    with scripted(Breaks(TooManyRequests("0.7")), "ok"):
        started = time.monotonic()
        await ask("summary", QUESTION)
    assert time.monotonic() - started >= 0.7


async def test_each_failure_is_logged_without_what_was_said() -> None:
    with scripted(Breaks(SLOW), "an answer"), capture_logs() as logs:
        await ask("summary", QUESTION)
    assert logs == [
        {
            "event": "model_attempt_failed",
            "log_level": "warning",
            "role": "summary",
            "attempt": 1,
            "error": "ReadTimeout",
        }
    ]


async def test_after_the_last_attempt_the_fallback_is_asked_and_the_text_begins_anew() -> None:
    models = RoleModels({"fast": Breaks(SLOW, "hal"), "fallback": "whole"}, max_attempts=2)
    seen: list[str] = []
    with bind(Resources(models=models)):
        answer = await ask("fast", QUESTION, on_text=seen.append, on_restart=lambda: seen.append("|"))
    assert answer.text == "whole"
    assert seen == ["hal", "|", "hal", "|", "who", "le"]
    assert models.calls() == {"fast": 2, "fallback": 1}


async def test_a_fallback_that_fails_too_is_the_failure() -> None:
    models = RoleModels({"fast": Breaks(SLOW), "fallback": Breaks(SLOW)})
    with bind(Resources(models=models)), pytest.raises(ModelFailed):
        await ask("fast", QUESTION)
    assert models.calls() == {"fast": 1, "fallback": 1}
