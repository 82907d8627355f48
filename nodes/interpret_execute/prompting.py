"""What the model is asked: rules in the system message; tools, history and words as data in the user's (X029)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from nodes.common.prompts import as_data, load
from nodes.interpret_execute.state import Exchange
from tools.mcp.model import Tool

_PACKAGE: Final = "nodes.interpret_execute"
_SYSTEM: Final = SystemMessage(load(_PACKAGE, "system").render())
_INSTRUCTION: Final = load(_PACKAGE, "instruction")
_FLAWS: Final = load(_PACKAGE, "flaws")
# Characters. A schema of more is shown without its descriptions, which are for people.
_LONGEST_TEXT: Final = 600
_LONGEST_SCHEMA: Final = 3000


def about_words(
    words: Sequence[str], history: Sequence[Exchange], tools: Sequence[Tool], now: datetime
) -> list[BaseMessage]:
    """Ask for a plan: what the person said in this turn, after what was said and done before."""
    prompt = _INSTRUCTION.render(
        tools=as_data("tools", "\n".join(_shown(tool) for tool in tools)),
        history=as_data("history", "\n".join(_json(dict(exchange)) for exchange in history)),
        now=now.isoformat(timespec="seconds"),
        instruction=as_data("instruction", "\n".join(words)),
    )
    return [_SYSTEM, HumanMessage(prompt)]


def about_flaws(asked: Sequence[BaseMessage], answer: str, flaws: Sequence[str]) -> list[BaseMessage]:
    """Ask again: the model sees what it answered, and what is wrong with it."""
    prompt = _FLAWS.render(flaws=as_data("flaws", "\n".join(f"- {flaw}" for flaw in flaws)))
    return [*asked, AIMessage(answer), HumanMessage(prompt)]


def _shown(tool: Tool) -> str:
    schema = _json(tool.input_schema)
    if len(schema) > _LONGEST_SCHEMA:
        schema = _json(_without_prose(tool.input_schema))
    effect = "read_only" if tool.read_only else "destructive" if tool.destructive else "changes"
    fields = {"name": tool.name, "description": tool.description[:_LONGEST_TEXT], "effect": effect}
    shown = {**fields, "input_schema": orjson.loads(schema)}
    if tool.output_schema is not None and len(_json(tool.output_schema)) <= _LONGEST_SCHEMA:
        shown["output_schema"] = dict(tool.output_schema)
    return _json(shown)


def _without_prose(schema: Any) -> Any:
    match schema:
        case dict():
            return {name: _without_prose(inner) for name, inner in schema.items() if not _is_prose(name, inner)}
        case list():
            return [_without_prose(inner) for inner in schema]
    return schema


def _is_prose(name: str, value: object) -> bool:
    # A property may be called `title`; its value is a schema then.
    return name in {"description", "title", "examples", "$comment"} and not isinstance(value, dict)


def _json(value: Any) -> str:
    return orjson.dumps(value, default=dict).decode()
