"""From a model's plan to one that can be carried out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.meta_workflow.plan import Planned, made, ready
from nodes.meta_workflow.state import Plan


def planned(*sections: dict[str, Any], has: bool = False, asks: bool = False, **more: Any) -> Plan:
    parsed = Planned.model_validate({"goal": "目标", "sections": list(sections) or [{}]} | more)
    return made(parsed, has_documents=has, asks_documents=asks, message="问题")


def test_no_steps_are_all_steps_and_an_unknown_one_is_the_writing() -> None:
    assert list(planned()["focus"]) == ["analysis", "content_generation", "evaluation"]
    assert list(planned(steps=[{"step": "dance"}])["focus"]) == ["content_generation"]


@pytest.mark.parametrize(
    ("has", "asks", "documents", "queries"),
    [
        (True, False, {"needed": True, "queries": ["甲"]}, ["甲"]),
        (True, True, {}, ["问题"]),
        (True, False, {"needed": True}, ["问题"]),
        (True, False, {"needed": False, "queries": ["甲"]}, []),
        (False, True, {"needed": True, "queries": ["甲"]}, []),
    ],
)
def test_when_documents_are_looked_into(has: bool, asks: bool, documents: Any, queries: list[str]) -> None:  # noqa: FBT001
    plan = planned(has=has, asks=asks, documents=documents)
    assert plan["queries"] == queries
    assert ("retrieval" in plan["focus"]) == bool(queries)


def test_a_step_that_looks_things_up_needs_documents_too() -> None:
    steps = [{"step": "retrieval", "focus": "价格"}]
    assert planned(has=True, steps=steps)["focus"] == {"retrieval": "价格", "content_generation": ""}
    assert "retrieval" not in planned(has=False, steps=steps)["focus"]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "id": st.sampled_from(["a", "b", "c", ""]),
                "title": st.text(max_size=80),
                "characters": st.integers(-100, 10**6) | st.just("300 字"),
                "depends_on": st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=4),
            }
        ),
        min_size=1,
        max_size=9,
    )
)
def test_any_sections_can_be_written_in_rounds(sections: list[dict[str, Any]]) -> None:
    plan = planned(*sections)
    ids = [section["id"] for section in plan["sections"]]
    assert ids == [str(number) for number in range(1, min(len(sections), 4) + 1)]
    assert 600 <= sum(section["characters"] for section in plan["sections"]) <= 900
    written: dict[str, str] = {}
    while len(written) < len(ids):
        now = ready(plan, written)
        assert now
        written |= dict.fromkeys((section["id"] for section in now), "text")
    assert ready(plan, written) == []
