"""Arguments against a tool's schema, and what a schema's fingerprint depends on."""

import time
from typing import Any

import pytest

from tools.mcp.arguments import digest, problems

ADD: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "how": {"enum": ["exact", "rounded"]}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


def test_arguments_that_fit_have_no_problems() -> None:
    assert problems(ADD, {"a": 2, "b": 3, "how": "exact"}) == ()


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"a": 2}, "missing b"),
        ({"a": "zwei", "b": 3}, "a: must be of type integer"),
        ({"a": 2, "b": 3, "how": "perhaps"}, "how: must be one of"),
        ({"a": 2, "b": 3, "c": 4}, "a field that the tool does not know"),
    ],
)
def test_a_problem_names_its_place_and_no_value(arguments: dict[str, Any], place: str) -> None:
    found = problems(ADD, arguments)

    assert len(found) == 1
    assert place in found[0]
    assert "zwei" not in found[0]
    assert "perhaps" not in found[0]


def test_a_schema_that_is_none_lets_nothing_pass() -> None:
    assert problems({"type": "thing"}, {"a": 2}) != ()


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"type": "object", "required": []}) == digest({"required": [], "type": "object"})
    assert digest({"type": "object"}) != digest({"type": "array"})


def test_a_reference_to_another_place_is_never_fetched() -> None:
    assert problems({"$ref": "http://127.0.0.1:9/schema.json"}, {"a": 2}) == ("the tool's input schema is not valid",)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=(a+)+$)(?!b)"])
@pytest.mark.parametrize("keyword", ["pattern", "patternProperties"])
def test_a_pattern_that_takes_for_ever_is_given_up(pattern: str, keyword: str) -> None:
    hostile = "a" * 60 + "!"
    schema: dict[str, Any] = {"properties": {"a": {"pattern": pattern}}}
    arguments: dict[str, Any] = {"a": hostile}
    if keyword == "patternProperties":
        schema, arguments = {"patternProperties": {pattern: False}, "additionalProperties": False}, {hostile: 1}
    began = time.process_time()

    found = problems(schema, arguments)

    assert len(found) == 1
    assert hostile not in found[0]
    assert time.process_time() - began < 2


def test_numbers_beyond_json_are_no_crash() -> None:
    assert problems(ADD, {"a": 10**400, "b": 3}) == ()
    assert len(problems(ADD, {"a": float("nan"), "b": 3})) == 1


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    "schema", [nested(300), {"maximum": 2**70}, {"title": "\ud800"}], ids=["deep", "large", "half"]
)
def test_a_schema_that_is_no_json_lets_nothing_pass(schema: dict[str, Any]) -> None:
    assert problems(schema, {"a": 2}) == ("the tool's input schema is not valid",)
    assert digest(schema) == digest(schema) != digest({})
