import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.outputs import ChatResult
from structlog.testing import capture_logs

from nodes.common.generation import Generated, Unusable, generate
from nodes.common.prompts import Prompt
from nodes.common.resources import Resources, bind
from tests.kit.fake_models import Breaks, FakeModels, ScriptedModel

REPAIR = Prompt("wrong: $wrong")
QUESTION = [HumanMessage("a number")]
SLOW = Breaks(httpx.ReadTimeout(""))
KEY = Breaks(httpx.HTTPStatusError("", request=httpx.Request("POST", "http://x"), response=httpx.Response(401)))


class Hanging(ScriptedModel):
    """Never answers."""

    def __init__(self) -> None:
        super().__init__("")

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.requests.append(messages)
        await asyncio.Event().wait()
        raise AssertionError


def number(text: str) -> int:
    if not text.isdecimal():
        raise Unusable("no number: $wrong")
    return int(text)


async def generated(model: ScriptedModel, **options: Any) -> Generated[int]:
    # Ten attempts a call would be thirty in all, were they multiplied.
    with bind(Resources(models=FakeModels(model, max_attempts=10))):
        return await generate("ltm", QUESTION, number, repair=REPAIR, **options)


async def test_the_first_answer() -> None:
    assert await generated(ScriptedModel("7")) == Generated(7, 1, [], None)


@pytest.mark.parametrize(
    ("script", "value", "attempts", "invalid", "failure"),
    [
        (["a", "7"], 7, 2, ["a"], None),
        (["a", "b", "7"], 7, 3, ["a", "b"], None),
        (["a", "b", "c", "7"], None, 3, ["a", "b", "c"], "format"),
        ([SLOW, "7"], 7, 2, [], None),
        ([SLOW, SLOW, SLOW, "7"], None, 3, [], "provider"),
        (["a", SLOW, "b", "7"], None, 3, ["a", "b"], "format"),
        (["a", "b", SLOW, "7"], None, 3, ["a", "b"], "provider"),
        ([KEY, "7"], None, 1, [], "provider"),
        (["a", KEY, "7"], None, 2, ["a"], "provider"),
    ],
)
async def test_one_budget_for_both_kinds_of_failure(
    script: Sequence[Any], value: int | None, attempts: int, invalid: list[str], failure: Any
) -> None:
    model = ScriptedModel(*script)
    assert await generated(model) == Generated(value, attempts, invalid, failure)
    assert len(model.requests) == attempts


async def test_zero_is_a_value() -> None:
    assert (await generated(ScriptedModel("0"))).value == 0


async def test_the_question_stands_again_after_a_provider_s_failure() -> None:
    model = ScriptedModel("a", SLOW, "7")
    await generated(model)
    first, second, third = model.requests
    assert [message.text for message in second] == ["a number", "a", "wrong: no number: $wrong"]
    assert third == second
    assert first == QUESTION


async def test_a_call_that_takes_too_long_is_an_attempt() -> None:
    model = Hanging()
    with capture_logs() as logs:
        assert await generated(model, call_seconds=0.02) == Generated(None, 3, [], "provider")
    assert len(model.requests) == 3
    assert [entry["error"] for entry in logs if entry["event"] == "generation_attempt_failed"] == ["TimeoutError"] * 3


async def test_who_is_cancelled_stops() -> None:
    task = asyncio.create_task(generated(Hanging()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_our_own_is_none_of_the_model_s() -> None:
    def broken(_text: str) -> int:
        raise ZeroDivisionError

    with bind(Resources(models=FakeModels(ScriptedModel("7")))), pytest.raises(ZeroDivisionError):
        await generate("ltm", QUESTION, broken, repair=REPAIR)
