"""JSON from a model: what is read, what is repaired once, what fails."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal, get_args

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from core.errors import ModelFailed
from nodes.common.fields import clamped, clipped, one_of, texts
from nodes.common.resources import Resources, bind
from nodes.common.structured import Structured, ask_for
from tests.kit.fake_models import Breaks, FakeModels, Script, ScriptedModel

Kind = Literal["chat", "other"]
QUESTION = [HumanMessage("which?")]


class Verdict(BaseModel):
    kind: Annotated[Kind, one_of(get_args(Kind), default="other")]
    score: Annotated[float, clamped(0, 10)]
    title: Annotated[str, clipped(5)] = ""
    names: Annotated[list[str], texts(2, 3)] = Field(default_factory=list)


@contextmanager
def scripted(*script: Script) -> Iterator[ScriptedModel]:
    model = ScriptedModel(*script)
    with bind(Resources(models=FakeModels(model, max_attempts=1))):
        yield model


async def asked(*script: Script) -> Structured[Verdict]:
    with scripted(*script):
        return await ask_for("intent", QUESTION, Verdict)


GOOD = '{"kind": "chat", "score": 8}'


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"好的，结果如下：{GOOD} 希望有帮助。",
        f'<think>maybe {{"kind": "other", "score": 1, "title": "not this one"}}</think>{GOOD}',
        f"{{}} {GOOD}",
        f"{{ this is no object }} {GOOD}",
        '{"kind": " CHAT ", "score": "8/10"}',
    ],
)
async def test_the_object_is_found(answer: str) -> None:
    found = await asked(answer)
    assert (found.value.kind, found.value.score, found.total_tokens) == ("chat", 8, 10)


@pytest.mark.parametrize(
    ("score", "read"), [(-3, 0), (11, 10), ("7.5", 7.5), ("约 6 分", 6), (10**400, 10), ("99999", 10), (7.25, 7.25)]
)
async def test_numbers_are_coerced_and_clamped(score: Any, read: float) -> None:
    assert (await asked(json.dumps({"kind": "chat", "score": score}))).value.score == read


@pytest.mark.parametrize("kind", ["unknown", None, 3, ["chat"]])
async def test_what_is_not_in_the_set_is_the_default(kind: Any) -> None:
    assert (await asked(json.dumps({"kind": kind, "score": 1}))).value.kind == "other"


async def test_texts_are_bounded_and_can_be_stored() -> None:
    answer = '{"kind": "chat", "score": 1, "title": " a\\u0000b\\ud800cdefg ", "names": ["", "abcd", 7, {}, "x"]}'
    value = (await asked(answer)).value
    assert (value.title, value.names) == ("abcde", ["abc", "7"])
    value.model_dump_json()


async def test_one_text_is_a_list_of_one_and_nothing_is_empty() -> None:
    value = (await asked('{"kind": "chat", "score": 1, "title": null, "names": "abc"}')).value
    assert (value.title, value.names) == ("", ["abc"])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("I cannot say.", "没有完整的 JSON 对象"),
        (GOOD[:-3], "没有完整的 JSON 对象"),
        ("[1, 2]", "没有完整的 JSON 对象"),
        ('{"kind": "chat"}', "缺少 score"),
        ('{"kind": "chat", "score": NaN}', "score："),
        ('{"kind": "chat", "score": true}', "score："),
        ('{"kind": "chat", "score": "high"}', "0 到 10 之间的数字"),
        ('{"kind": "chat", "score": 1, "title": {}}', "title："),
    ],
)
async def test_what_is_wrong_is_told_once(answer: str, told: str) -> None:
    with scripted(answer, GOOD) as model:
        found = await ask_for("intent", QUESTION, Verdict)
    assert (found.value.score, found.total_tokens) == (8, 20)
    _first, second = model.requests
    assert [message.type for message in second] == ["human", "ai", "human"]
    assert second[1].text == answer
    assert told in second[2].text


async def test_an_empty_answer_is_no_turn_of_the_model() -> None:
    with scripted(" ", GOOD) as model:
        await ask_for("intent", QUESTION, Verdict)
    assert [message.type for message in model.requests[1]] == ["human", "human"]


async def test_after_the_repair_it_fails() -> None:
    with scripted("no") as model, pytest.raises(ModelFailed) as failed:
        await ask_for("intent", QUESTION, Verdict)
    assert len(model.requests) == 2
    assert (failed.value.code, failed.value.message) == ("MODEL_FAILED", "模型没有给出可用的回答，请稍后再试")


async def test_a_model_that_does_not_answer_is_not_repaired() -> None:
    with scripted(Breaks(httpx.ReadTimeout(""))) as model, pytest.raises(ModelFailed):
        await ask_for("intent", QUESTION, Verdict)
    assert len(model.requests) == 1


async def test_the_schema_gets_the_context() -> None:
    class Chosen(BaseModel):
        tool: str

        @field_validator("tool")
        @classmethod
        def known(cls, tool: str, info: ValidationInfo) -> str:
            assert info.context
            if tool not in info.context["tools"]:
                raise ValueError("没有这个工具")
            return tool

    with scripted('{"tool": "hammer"}', '{"tool": "saw"}') as model:
        found = await ask_for("interpret", QUESTION, Chosen, context={"tools": {"saw"}})
    assert found.value.tool == "saw"
    assert "没有这个工具" in model.requests[1][-1].text


@pytest.mark.parametrize(
    "answer", ["{" * 100_000, '{"a":' * 100_000, '{"a":[' * 50_000, "[" * 100_000, '{"score":' + "9" * 100_000 + "}"]
)
async def test_a_hundred_thousand_characters_are_read_fast_and_shown_in_part(answer: str) -> None:
    started = time.monotonic()
    with scripted(answer, GOOD) as model:
        assert (await ask_for("intent", QUESTION, Verdict)).value.score == 8
    assert time.monotonic() - started < 2
    assert len(model.requests[1][1].text) == 4000


@given(st.text(max_size=60), st.text(max_size=60))
async def test_whatever_stands_around_it_the_outcome_is_a_value_or_a_failure(before: str, after: str) -> None:
    with scripted(f"{before}{GOOD}{after}"):
        try:
            found = await ask_for("intent", QUESTION, Verdict)
        except ModelFailed:
            # Only a bracket or a tag can take the object in.
            assert set(before) & set("{<")
        else:
            assert found.value.kind in get_args(Kind)
