"""The prompts: versioned, complete, and apart from what users say (X029)."""

import re

import pytest

from nodes.meta_workflow import prompting
from nodes.meta_workflow.plan import Planned
from nodes.meta_workflow.prompting import TAGS, VERSIONS
from nodes.meta_workflow.state import INTENTS, LONGEST_OUTPUT, SHORTEST_OUTPUT, STEPS


def prompt(name: str) -> str:
    return prompting._PROMPTS[name][1].text


def test_every_prompt_has_a_version_that_models_do_not_see() -> None:
    assert set(VERSIONS) == set(prompting._NAMES)
    assert all(version >= 1 for version in VERSIONS.values())
    assert not any(re.search(r"^version", prompt(name)) for name in VERSIONS)


def test_the_rules_name_the_closed_sets() -> None:
    assert all(intent in prompt("intent") for intent in INTENTS)
    assert all(step in prompt("planning") for step in STEPS)
    assert all(f'"{name}"' in prompt("planning") for name in Planned.model_fields)


@pytest.mark.parametrize("name", ["planning", "revision", "evaluation"])
def test_the_length_is_stated(name: str) -> None:
    assert f"{SHORTEST_OUTPUT}–{LONGEST_OUTPUT}" in prompt(name)


def test_the_rules_name_the_data_tags() -> None:
    assert all(tag in prompt("system") for tag in TAGS)


def test_only_the_repair_has_a_place_to_fill() -> None:
    assert [name for name in VERSIONS if "$" in prompt(name)] == ["fix"]
