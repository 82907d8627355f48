"""The prompts themselves: their forms are the validators', and they are written from the visitor's side (G46)."""

import json
import re

import jsonschema
import pytest

from nodes.common.prompts import load
from nodes.counseling.prompting import bare, homework_text, memory_text
from nodes.counseling.records import SLOTS, Homework, memory_from
from nodes.counseling.tags import LONGEST_ACTIVITY, LONGEST_DIARY, LONGEST_SLOT, read_activity
from providers.limits import DEFAULTS
from tools.text.tokens import estimate

PACKAGE = "nodes.counseling"
ACTIVITY = load(PACKAGE, "activity").text
SCHEMA = json.loads(re.search(r"JSON Schema：\n(\{.*?\})\n\n", ACTIVITY, re.DOTALL)[1])  # type: ignore[index]


def limit(prompt: str) -> int:
    """Return the largest number of characters that a prompt allows."""
    return max(int(number) for number in re.findall(r"(\d+) 个(?:汉字|字符)", load(PACKAGE, prompt).text))


def test_the_report_s_schema_is_one_and_accepts_its_example() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    example = json.loads(re.search(r"<activity>(\{.*\})</activity>\Z", ACTIVITY)[1])  # type: ignore[index]
    example["days"] *= 3
    jsonschema.validate(example, SCHEMA)
    assert read_activity(f"<activity>{json.dumps(example)}</activity>") == example
    assert not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors({**example, "homework": []}))
    assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors({"summary": "无"}))


@pytest.mark.parametrize("name", ["memory", "memory_repair"])
def test_each_slot_is_asked_for(name: str) -> None:
    prompt = load(PACKAGE, name).text
    assert all(slot in prompt for slot in SLOTS)
    assert "longterm_memory" in prompt


def test_what_is_asked_for_is_within_what_is_taken_and_within_the_role_s_tokens() -> None:
    assert limit("diary") < LONGEST_DIARY
    assert limit("activity") < LONGEST_ACTIVITY
    assert limit("memory") < LONGEST_SLOT
    assert limit("diary") < DEFAULTS["diary"].max_tokens
    assert limit("activity") * 1.5 <= DEFAULTS["activity"].max_tokens
    assert limit("memory") * len(SLOTS) * 1.2 < DEFAULTS["ltm"].max_tokens


@pytest.mark.parametrize("name", ["diary", "activity", "memory"])
def test_a_repair_allows_what_the_question_does(name: str) -> None:
    assert limit(f"{name}_repair") == limit(name)


def test_who_is_who_is_said() -> None:
    system = load(PACKAGE, "system").text
    assert re.search(r"来访者（\$name）.*`ai:`", system)
    assert re.search(r"咨询师.*学生.*`user:`", system)
    assert "ai 是来访者自己，user 是咨询师" in load(PACKAGE, "diary").text


@pytest.mark.parametrize("name", ["system", "reply_system"])
def test_rules_take_little_of_what_a_model_reads(name: str) -> None:
    assert estimate(load(PACKAGE, name).text) < 1200


def test_a_diary_without_its_tags() -> None:
    assert [bare(text) for text in ("<diary>今天</diary>", " <diary>\n今天\n</diary> ", "今天", "")] == [
        "今天",
        "今天",
        "今天",
        "",
    ]


def test_homework_as_lines() -> None:
    assert homework_text([]) == homework_text([Homework(title="", status="assigned")]) == "无"
    assert homework_text([Homework(title="一\n二", status="assigned")]) == "一 二"


def test_memory_as_lines() -> None:
    assert memory_text(memory_from({"milestones": " 说了一句 "})).splitlines()[2] == "milestones: 说了一句"
