"""One JSON object from a model, checked by a pydantic model; one repair, then the failure (X027, X028)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import BaseModel, ValidationError

from core.errors import ModelFailed
from core.roles import Role
from nodes.common.attempts import ask

T = TypeVar("T", bound=BaseModel)

_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.IGNORECASE | re.DOTALL)
# No text of PostgreSQL holds these, and JSON can: NUL, and halves of surrogate pairs.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
# Beyond these nothing is looked for: an object that is good stands near the beginning, and nests a few levels.
_LONGEST_READ: Final = 60_000
_MOST_STARTS: Final = 40
_LONGEST_SHOWN: Final = 4000
_MOST_PROBLEMS: Final = 8
_NO_OBJECT: Final = "回答里没有完整的 JSON 对象"
_REPAIR: Final = (
    "上面的回答还不能用：{wrong}。\n"
    "请按最初的要求重新作答：只输出一个完整的 JSON 对象，不要代码块标记，不要任何说明文字；"
    "字段名、类型和取值范围照最初的规定。"
)


@dataclass(frozen=True)
class Structured(Generic[T]):
    """A checked answer, and the tokens that it took, a repair counted in."""

    value: T
    total_tokens: int


class Unusable(Exception):
    """What is wrong with an answer, in words for the model."""


async def ask_for(
    role: Role, messages: Sequence[BaseMessage], schema: type[T], *, context: Mapping[str, Any] | None = None
) -> Structured[T]:
    """Ask the role's model for a JSON object that `schema` accepts.

    Code fences, thoughts and text around the object do no harm. An answer that cannot be used is shown to the model
    once, with what is wrong. What may be coerced, clamped or set to a default says the schema (`nodes.common.fields`).

    Args:
        role: whose model is asked.
        messages: the conversation; the form of the object is described in it.
        schema: the pydantic model of the object.
        context: is given to the schema's validators.

    Raises:
        ModelFailed: no attempt brought an answer, or neither of the two answers can be used.
    """
    first = await ask(role, messages)
    try:
        return Structured(read(first.text, schema, context), first.total_tokens)
    except Unusable as unusable:
        repair = _about(messages, first.text, str(unusable))
    second = await ask(role, repair)
    try:
        return Structured(read(second.text, schema, context), first.total_tokens + second.total_tokens)
    except Unusable as unusable:
        raise ModelFailed("模型没有给出可用的回答，请稍后再试") from unusable


def read(text: str, schema: type[T], context: Mapping[str, Any] | None = None) -> T:
    """Return the longest JSON object of a text that the schema accepts.

    Raises:
        Unusable: there is no object, or the schema accepts none.
    """
    wrong: str | None = None
    for found in sorted(_objects(text), key=lambda found: -found[1]):
        try:
            return schema.model_validate(_storable(found[0]), context=dict(context or {}))
        except ValidationError as error:
            wrong = wrong or _told(error)
    raise Unusable(wrong or _NO_OBJECT)


def _objects(text: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Give the JSON objects of a text that stand in no other, each with its length in characters."""
    decoder = json.JSONDecoder(parse_constant=lambda _name: None)
    text = _THOUGHT.sub(" ", text)[:_LONGEST_READ]
    place = text.find("{")
    for _start in range(_MOST_STARTS):
        if place < 0:
            return
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield found, end - place
        place = text.find("{", end)


def _storable(value: Any) -> Any:
    match value:
        case str():
            return _UNSTORABLE.sub("", value)
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {_UNSTORABLE.sub("", key): _storable(item) for key, item in value.items()}
    return value


def _told(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False, include_input=False)[:_MOST_PROBLEMS]:
        where = ".".join(str(part)[:40] for part in problem["loc"]) or "JSON"
        problems.append(f"缺少 {where}" if problem["type"] == "missing" else f"{where}：{problem['msg'][:200]}")
    return "；".join(problems)


def _about(asked: Sequence[BaseMessage], answer: str, wrong: str) -> list[BaseMessage]:
    # Vendors refuse an empty turn of the model.
    given = [AIMessage(answer[:_LONGEST_SHOWN])] if answer.strip() else []
    return [*asked, *given, HumanMessage(_REPAIR.format(wrong=wrong))]
