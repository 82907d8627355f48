"""Which tool a request means, by the words they share, and its arguments (for the role `interpret`)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from langchain_core.messages import BaseMessage

from providers.offline.instructions.values import Found, head_of
from providers.offline.instructions.words import meanings, words_of_name, words_of_text

_DATA: Final = re.compile(r"<(tools|instruction)>\n(.*?)\n</\1>", re.DOTALL)
_CJK: Final = re.compile(r"[\u3400-\u9fff]")
_THEN: Final = re.compile(
    r"[，,。；;]?\s*(?:然后|接着|之后|随后|最后再)[，,]?|[,;.]?\s*\b(?:and then|then|after that)\b,?", re.IGNORECASE
)
_ALSO: Final = re.compile(
    r"[，,。；;]\s*(?:同时|并且|另外|顺便)[，,]?|[,;]?\s*\b(?:and also|at the same time)\b,?", re.IGNORECASE
)
_ITS_RESULT: Final = re.compile(r"结果|答案|它|\b(?:result|answer|it|that)\b", re.IGNORECASE)
_NAME_WEIGHT: Final = 3.0
_WHOLE_NAME: Final = 1.5
_LEAST: Final = 1.0


@dataclass(frozen=True)
class _Tool:
    name: str
    description: str
    schema: Mapping[str, Any]
    output: Mapping[str, Any]

    @property
    def required(self) -> list[str]:
        return list(self.schema.get("required", ()))


@dataclass(frozen=True)
class _Clause:
    text: str
    follows: bool
    """Whether it comes after the one before it."""


@dataclass(frozen=True)
class _Step:
    tool: _Tool
    arguments: dict[str, Any]
    missing: list[str]
    after: list[str]


def plan_calls(messages: Sequence[BaseMessage]) -> str:
    """Answer a request with the calls that its words mean, or with what is missing."""
    data = dict(_DATA.findall(str(messages[-1].text)))
    if "instruction" not in data:
        # It is told what is wrong with its answer: it has no other.
        return _clarify("没有找到合适的操作。")
    words = data["instruction"]
    tools = [_read(line) for line in data.get("tools", "").splitlines() if line.strip()]
    steps: list[_Step] = []
    for clause in _clauses(words):
        # What follows a colon is mostly what the tool is given, not what is to be done.
        tool = _meant(head_of(clause.text), tools) or _meant(clause.text, tools)
        if tool is None:
            return _clarify(_unknown(words, tools))
        steps.append(_filled(tool, clause, steps))
    missing = [f"{step.tool.name}: {', '.join(step.missing)}" for step in steps if step.missing]
    return _clarify(_lacking(words, missing)) if missing else _act(words, steps)


def _read(line: str) -> _Tool:
    shown = orjson.loads(line)
    return _Tool(shown["name"], shown["description"], shown["input_schema"], shown.get("output_schema") or {})


def _clauses(words: str) -> list[_Clause]:
    parts: list[_Clause] = []
    for later, serial in enumerate(_THEN.split(words)):
        for other, text in enumerate(_ALSO.split(serial)):
            if text.strip():
                parts.append(_Clause(text.strip(), follows=later > 0 and other == 0))
    return parts


def _meant(text: str, tools: Sequence[_Tool]) -> _Tool | None:
    """Return the tool that shares most with a text; a word that many tools have says little."""
    said = meanings(text)
    common = Counter(word for tool in tools for word in words_of_name(tool.name))
    scored = []
    for tool in tools:
        named = words_of_name(tool.name)
        by_name = sum(_NAME_WEIGHT / common[word] ** 0.5 for word in said & named)
        by_description = len(said & words_of_text(tool.description)) / 10
        # A name that is said whole counts, however many tools share its words.
        unsaid = len(named - said) / 4 or -_WHOLE_NAME
        fits = 0.5 if not _filled(tool, _Clause(text, follows=False), []).missing else 0.0
        scored.append((by_name + by_description - unsaid + fits if by_name else 0.0, tool))
    best = max(scored, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= _LEAST else None


def _filled(tool: _Tool, clause: _Clause, before: Sequence[_Step]) -> _Step:
    found = Found.of(clause.text)
    properties = tool.schema.get("properties", {})
    ordered = [*tool.required, *(name for name in properties if name not in tool.required)]
    arguments: dict[str, Any] = {}
    after = [f"s{len(before)}"] if clause.follows and before else []
    for name in ordered:
        schema = _plain(properties.get(name, {}))
        value = found.take(name, schema)
        if value is None and name in tool.required and after and _ITS_RESULT.search(clause.text):
            value = _result_of(before[-1], f"s{len(before)}", schema)
        if value is not None:
            arguments[name] = value
    missing = [name for name in tool.required if name not in arguments]
    return _Step(tool, arguments, missing, after)


def _plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a value that may also be null."""
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return choices[0] if len(choices) == 1 else schema


def _result_of(step: _Step, name: str, schema: Mapping[str, Any]) -> dict[str, str] | None:
    outputs = step.tool.output.get("properties", {})
    for path, output in outputs.items():
        if output.get("type") == schema.get("type"):
            return {"$from": name, "path": path}
    return {"$from": name, "path": "text"} if schema.get("type") == "string" and not outputs else None


def _act(words: str, steps: Sequence[_Step]) -> str:
    planned = [
        {"id": f"s{number}", "tool": step.tool.name, "arguments": step.arguments, "after": step.after}
        for number, step in enumerate(steps, 1)
    ]
    calls = [f"{step.tool.name}（{_listed(step.arguments)}）" for step in steps]
    text = f"将执行：{'，然后 '.join(calls)}。确认吗？" if _CJK.search(words) else f"Run {', then '.join(calls)}?"
    return _answer("act", planned, text)


def _listed(arguments: Mapping[str, Any]) -> str:
    shown = [
        f"{name} = {value if isinstance(value, str) else orjson.dumps(value).decode()}"
        for name, value in arguments.items()
    ]
    return "，".join(shown)


def _unknown(words: str, tools: Sequence[_Tool]) -> str:
    some = "、".join(tool.name for tool in tools[:8])
    if _CJK.search(words):
        return f"没有找到合适的操作。现在可用的工具有：{some}。" if some else "现在没有可用的工具。"
    return f"No tool fits. There are: {some.replace('、', ', ')}." if some else "There is no tool now."


def _lacking(words: str, missing: Sequence[str]) -> str:
    told = "；".join(missing)
    return f"还缺少参数（{told}），请补充。" if _CJK.search(words) else f"Please say more; missing: {told}."


def _clarify(text: str) -> str:
    return _answer("clarify", [], text)


def _answer(kind: str, steps: list[dict[str, Any]], text: str) -> str:
    return orjson.dumps({"kind": kind, "steps": steps, "text": text}).decode()
