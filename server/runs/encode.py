"""What a graph emits, as JSON text: messages, pydantic models, interrupts and whatever else state may hold."""

import dataclasses
from typing import Any

import orjson
from langchain_core.messages import BaseMessage
from pydantic import BaseModel


def encode(data: Any) -> str:
    """Return `data` as JSON text; what JSON has no form for becomes its string."""
    return orjson.dumps(
        data, default=_plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    ).decode()


def plain(data: Any) -> Any:
    """Return `data` as dicts, lists, strings and numbers only."""
    return orjson.loads(encode(data))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseMessage):
        # What its own `model_dump` gives, and several times as fast: a long conversation is told whole at each turn.
        return {**value.__dict__, **(value.__pydantic_extra__ or {})}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)
