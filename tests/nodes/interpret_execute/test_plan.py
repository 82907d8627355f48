"""Plans and references, with many shapes of them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.interpret_execute.plan import flaws, in_order, misfit, needs, ready
from nodes.interpret_execute.references import NoSuchResult, references, resolve
from nodes.interpret_execute.state import Step, StepResult
from tools.mcp.model import Tool

ANY = Tool(name="any", server="s", own_name="any", description="", input_schema={"type": "object"})
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def made(name: str, *after: str, params: Mapping[str, Any] | None = None) -> Step:
    return Step(id=name, action="any", params=dict(params or {}), after=list(after))


@st.composite
def graphs(draw: st.DrawFn) -> list[Step]:
    """Plans without circles: a step waits for some of those before it."""
    count = draw(st.integers(1, 8))
    steps = [
        made(f"s{number}", *(f"s{other}" for other in range(number) if draw(st.booleans()))) for number in range(count)
    ]
    return draw(st.permutations(steps))


@given(graphs())
def test_a_plan_without_circles_is_made_in_order_and_ends(steps: list[Step]) -> None:
    assert flaws(steps, {"any": ANY}) == ()
    ordered = in_order(steps)
    results: dict[str, StepResult] = {}
    rounds = 0
    while now := ready(ordered, results)[0]:
        for one in now:
            assert set(one["after"]) <= set(results)
            results[one["id"]] = StepResult(action="any", status="success", data=None, error=None)
        rounds += 1
    assert set(results) == {one["id"] for one in steps}
    assert rounds <= len(steps)


@given(graphs(), st.data())
def test_what_needs_a_failed_step_is_never_made(steps: list[Step], data: st.DataObject) -> None:
    ordered = in_order(steps)
    broken = data.draw(st.sampled_from(ordered))["id"]
    results: dict[str, StepResult] = {}
    while True:
        now, settled = ready(ordered, results)
        results |= settled
        if not now:
            break
        for one in now:
            status: Any = "error" if one["id"] == broken else "success"
            results[one["id"]] = StepResult(action="any", status=status, data=None, error=None)
    statuses = {name: result["status"] for name, result in results.items()}
    assert len(statuses) == len(steps)
    for one in ordered:
        lost = any(statuses[name] != "success" for name in one["after"])
        assert (statuses[one["id"]] == "skipped") == lost


def test_circles_are_found() -> None:
    assert flaws([made("a", "b"), made("b", "a")], {"any": ANY}) == ("the steps wait for each other in a circle",)
    assert flaws([made("a", params={"x": {"$from": "a"}})], {"any": ANY})


def test_a_step_needs_what_it_uses() -> None:
    using = made("b", "c", params={"x": [{"y": {"$from": "a", "path": "0"}}]})
    assert needs(using) == ("c", "a")
    assert list(references(using["params"])) == [(("x", 0, "y"), "a")]


@given(JSON)
def test_what_holds_no_reference_stays_as_it_is(value: Any) -> None:
    if not list(references(value)):
        assert resolve(value, {}) == value


@pytest.mark.parametrize(
    ("path", "found"), [("", {"a": [{"b": 1}]}), ("a.0.b", 1), ("a.0", {"b": 1}), ("a", [{"b": 1}])]
)
def test_a_path_leads_into_a_result(path: str, found: Any) -> None:
    assert resolve({"x": {"$from": "s", "path": path}}, {"s": {"a": [{"b": 1}]}}) == {"x": found}


@pytest.mark.parametrize("path", ["b", "a.1", "a.x", "a.0.b.c", "a.-1", "a.²"])
def test_a_path_that_leads_nowhere(path: str) -> None:
    with pytest.raises(NoSuchResult):
        resolve({"$from": "s", "path": path}, {"s": {"a": [{"b": 1}]}})


def test_only_what_is_known_is_checked() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    }
    tool = Tool(name="t", server="s", own_name="t", description="", input_schema=schema)

    assert misfit(tool, {"a": {"$from": "s1"}, "b": 1}) == ()
    assert misfit(tool, {"a": {"$from": "s1"}, "b": "x"})
    assert misfit(tool, {"a": {"$from": "s1"}})
