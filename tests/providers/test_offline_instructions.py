"""The offline model's rule for `interpret`: words of a request, matched with whatever tools there are."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from nodes.interpret_execute.prompting import about_flaws, about_words
from providers.offline.instructions.match import plan_calls
from providers.offline.instructions.values import Found
from tools.mcp.model import Tool

NOW = datetime(2026, 1, 30, tzinfo=UTC)


def tool(name: str, description: str, output: dict[str, Any] | None = None, **types: str) -> Tool:
    schema = {
        "type": "object",
        "properties": {field: {"type": kind} for field, kind in types.items()},
        "required": list(types),
    }
    return Tool(
        name=name, server="s", own_name=name, description=description, input_schema=schema, output_schema=output
    )


WHOLE = {"type": "object", "properties": {"result": {"type": "integer"}}}
TOOLS = [
    tool("add", "Add two numbers.", WHOLE, a="integer", b="integer"),
    tool("get_current_time", "Get the current time in a time zone.", timezone="string"),
    tool(
        "convert_time", "Convert time between zones.", source_timezone="string", time="string", target_timezone="string"
    ),
    tool("append_note", "Append a line to the notes.", text="string"),
    tool("list_notes", "List all notes."),
    tool("read_file", "Read a file.", path="string"),
    tool("git_status", "Shows the working tree status.", repo_path="string"),
]


def asked(words: str, tools: list[Tool] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(plan_calls(about_words([words], [], TOOLS if tools is None else tools, NOW)))
    return answer


@pytest.mark.parametrize(
    ("words", "name", "arguments"),
    [
        ("把十二和三百零五加起来", "add", {"a": 12, "b": 305}),
        ("What is 7 plus 35?", "add", {"a": 7, "b": 35}),
        ("巴黎现在几点", "get_current_time", {"timezone": "Europe/Paris"}),
        ("What time is it in Sao Paulo?", "get_current_time", {"timezone": "America/Sao_Paulo"}),
        (
            "把东京时间 9:30 换算成柏林时间",
            "convert_time",
            {"source_timezone": "Asia/Tokyo", "time": "09:30", "target_timezone": "Europe/Berlin"},
        ),
        ("记下一条笔记：周五交报表", "append_note", {"text": "周五交报表"}),
        ('Append a note "call the bank"', "append_note", {"text": "call the bank"}),
        ("记一条笔记：把两份合同加起来算一下", "append_note", {"text": "把两份合同加起来算一下"}),
        ("计算：8 和 9 相加", "add", {"a": 8, "b": 9}),
        ("列出所有笔记", "list_notes", {}),
        ("read the file /srv/data/readme.md", "read_file", {"path": "/srv/data/readme.md"}),
        ("看看 /srv/code 仓库的状态", "git_status", {"repo_path": "/srv/code"}),
    ],
)
def test_a_request_becomes_the_call_it_means(words: str, name: str, arguments: dict[str, Any]) -> None:
    answer = asked(words)

    assert answer["kind"] == "act", answer
    assert [(step["tool"], step["arguments"]) for step in answer["steps"]] == [(name, arguments)]
    assert name in answer["text"]


def test_steps_one_after_the_other_use_the_result_before() -> None:
    answer = asked("把 2 和 3 加起来，然后把结果和 10 相加")

    assert answer["steps"] == [
        {"id": "s1", "tool": "add", "arguments": {"a": 2, "b": 3}, "after": []},
        {"id": "s2", "tool": "add", "arguments": {"a": 10, "b": {"$from": "s1", "path": "result"}}, "after": ["s1"]},
    ]


def test_steps_side_by_side() -> None:
    answer = asked("巴黎现在几点，同时列出所有笔记")

    assert [(step["tool"], step["after"]) for step in answer["steps"]] == [
        ("get_current_time", []),
        ("list_notes", []),
    ]


@pytest.mark.parametrize("words", ["今天心情不错", "Tell me a story", "加起来"])
def test_what_it_cannot_do_it_asks(words: str) -> None:
    answer = asked(words)

    assert answer["kind"] == "clarify"
    assert answer["steps"] == []


def test_without_tools_it_says_so() -> None:
    assert asked("把二和三加起来", [])["text"] == "现在没有可用的工具。"


def test_told_of_a_flaw_it_gives_up() -> None:
    question = about_words(["加起来"], [], TOOLS, NOW)

    assert orjson.loads(plan_calls(about_flaws(question, "{}", ["there is no step"])))["kind"] == "clarify"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("二和三", [2, 3]),
        ("一百二十", [120]),
        ("两万零五十", [20050]),
        ("十", [10]),
        ("-4 与 2.5", [-4, 2.5]),
        ("二零二六", [2026]),
    ],
)
def test_numbers_in_words_and_figures(text: str, numbers: list[float]) -> None:
    assert Found.of(text).numbers == numbers
