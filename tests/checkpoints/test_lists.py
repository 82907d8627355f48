"""Long lists: what is stored of a version gives the version back, and items are stored once."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from checkpoints import lists
from checkpoints.lists import Span, Stored
from server.runs.encode import encode


@given(st.lists(st.integers(1, 40)))
def test_numbers_are_packed_and_unpacked(numbers: list[int]) -> None:
    assert lists.numbers_of(lists.unpack(lists.pack(numbers))) == numbers


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9))))
def test_a_union_covers_the_same_numbers_once(drawn: list[tuple[int, int]]) -> None:
    spans = [Span(first, first + more) for first, more in drawn]
    covered = lists.numbers_of(lists.union(spans))
    assert covered == sorted(set(lists.numbers_of(spans)))


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=20), max_size=12))
def test_each_version_can_be_put_together_again(versions: list[list[int]]) -> None:
    """Items come, go, change places and come back."""
    stored = Stored(free=1)
    table: dict[int, int] = {}
    kept: list[tuple[list[int], list[int]]] = []
    for version in versions:
        prints = lists.fingerprints(version)
        assert prints is not None
        numbers, new = stored.place(prints.each)
        for number, index in new.items():
            assert number not in table
            table[number] = version[index]
        kept.append((version, numbers))
    for version, numbers in kept:
        assert [table[number] for number in numbers] == version


def test_a_conversation_that_grows_is_one_span_and_stores_what_is_new() -> None:
    stored = Stored(free=7)
    messages: list[Any] = [HumanMessage(str(number), id=str(number)) for number in range(40)]
    for turn in range(3):
        messages.append(AIMessage(f"answer {turn}", id=f"a{turn}"))
        prints = lists.fingerprints(messages)
        assert prints is not None
        numbers, new = stored.place(prints.each)
        assert lists.unpack(lists.pack(numbers)) == [Span(7, 7 + 40 + turn)]
        assert len(new) == (41 if turn == 0 else 1)


def test_a_change_in_place_is_noticed() -> None:
    message = AIMessage("one", additional_kwargs={"deep": {"list": [1]}}, extra_field="x")
    prints = [lists.fingerprints([message])]
    for change in (
        lambda: setattr(message, "content", "two"),
        lambda: message.additional_kwargs["deep"]["list"].append(2),
        lambda: message.tool_calls.append({"name": "a", "args": {}, "id": "1"}),
        lambda: setattr(message, "extra_field", "y"),
    ):
        change()
        now = lists.fingerprints([message])
        assert now not in prints
        prints.append(now)
    assert lists.fingerprints([HumanMessage("one")]) != lists.fingerprints([AIMessage("one")])


@given(st.lists(st.integers(0, 3), max_size=150), st.lists(st.integers(0, 3), max_size=150))
def test_what_is_known_makes_no_difference(before: list[int], now: list[int]) -> None:
    assert lists.fingerprints(now, lists.fingerprints(before)) == lists.fingerprints(now)


def test_of_many_items_the_one_that_changed_is_found() -> None:
    messages: list[Any] = [HumanMessage(str(number), id=str(number)) for number in range(100)]
    before = lists.fingerprints(messages)
    assert before is not None
    messages[40].additional_kwargs["seen"] = True
    now = lists.fingerprints(messages, before)
    assert now is not None
    assert [index for index in range(100) if now.each[index] != before.each[index]] == [40]


@given(st.lists(st.text() | st.builds(HumanMessage, st.text()) | st.builds(AIMessage, st.text(), x=st.integers(0, 9))))
def test_their_json_is_what_clients_are_told(items: list[Any]) -> None:
    prints = lists.fingerprints(items)
    assert prints is not None
    assert lists.as_json(prints.json).decode() == encode(items)


def test_what_has_no_fingerprint_is_stored_whole() -> None:
    assert lists.fingerprints([1, object()]) is None
