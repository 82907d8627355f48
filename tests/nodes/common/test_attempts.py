"""One retry policy: what is tried again, how often, and what is said when it does not help (X027)."""

import time
from typing import Any

import httpx
import pytest
from langchain_core.exceptions import ModelInvalidRequestError, ModelRateLimitError
from langchain_core.messages import HumanMessage

from core.errors import ModelFailed
from nodes.common.attempts import Answer, ask
from nodes.common.resources import Resources, bind
from tests.kit.fake_models import TOKENS_A_CALL, FakeChatModel, FakeModels

QUESTION = [HumanMessage("?")]


class Busy(ModelRateLimitError):
    """A 429 with a header."""

    def __init__(self, seconds: float) -> None:
        super().__init__("busy")
        self.response = httpx.Response(429, headers={"retry-after": str(seconds)})


async def asked(*replies: Any, attempts: int = 3, **options: Any) -> tuple[FakeChatModel, Answer]:
    waiting = iter(replies)
    model = FakeChatModel(script=lambda _: next(waiting))
    with bind(Resources(models=FakeModels(model, attempts))):
        return model, await ask("summary", QUESTION, **options)


async def test_an_answer_at_once() -> None:
    model, answer = await asked("好")
    assert (answer, len(model.asked)) == (Answer("好", TOKENS_A_CALL), 1)


@pytest.mark.parametrize("streamed", [True, False])
async def test_what_passes_is_tried_again(*, streamed: bool) -> None:
    options: dict[str, Any] = {"on_text": lambda _: None} if streamed else {}
    model, answer = await asked(TimeoutError(), ModelRateLimitError("x"), "好", **options)
    assert (answer.text, len(model.asked)) == ("好", 3)


async def test_not_more_often_than_allowed_and_the_reason_stays_ours() -> None:
    with pytest.raises(ModelFailed) as raised:
        await asked(*[httpx.ConnectError("secret host")] * 9, attempts=2)
    assert "secret" not in raised.value.message
    assert isinstance(raised.value.__cause__, httpx.ConnectError)


async def test_a_request_that_is_wrong_is_not_repeated() -> None:
    with pytest.raises(ModelFailed):
        await asked(ModelInvalidRequestError("x"), "好")


async def test_our_own_error_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        await asked(KeyError("x"), "好")


async def test_the_vendor_may_ask_for_time_but_not_for_ever() -> None:
    started = time.monotonic()
    await asked(Busy(1), "好")
    assert 1 <= time.monotonic() - started < 2
    started = time.monotonic()
    await asked(Busy(600), "好")
    assert time.monotonic() - started < 7


async def test_the_listener_is_told_when_a_stream_begins_again() -> None:
    heard: list[str] = []
    model = FakeChatModel(script=lambda _: "一二三四五六", break_after=1)
    with bind(Resources(models=FakeModels(model))):
        answer = await ask("summary", QUESTION, on_text=heard.append, on_restart=heard.clear)
    assert "".join(heard) == answer.text == "一二三四五六"
