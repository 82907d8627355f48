"""Answers of clients, in every shape and in none."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nodes.interpret_execute.answers import Decision, decision_of

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["approve", "edit", "accept", "reject", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "args", "decisions", "edited_action", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_nothing_but_a_decision_is_one(answer: Any) -> None:
    decision = decision_of(answer)
    if decision is not None and decision.kind == "edit":
        assert decision.action is not None
        assert decision.params is not None


def test_words_are_kept_in_bounds() -> None:
    decision = decision_of({"type": "respond", "message": " " + "x" * 9000})

    assert decision == Decision(kind="respond", message="x" * 8000)


def test_the_legacy_forms() -> None:
    assert decision_of([{"type": "ignore", "args": None}]) == Decision(kind="reject")
    assert decision_of([{"type": "response", "args": "later"}]) == Decision(kind="respond", message="later")
    assert decision_of([{"type": "edit", "args": {"action": "a", "args": {"x": 1}}}]) == Decision(
        kind="edit", action="a", params={"x": 1}
    )
