"""What counts as a gap in a stream: of a run of two steps, cut off and taken up in different places."""

from typing import Any

import pytest

from tests.faults.streams import Seen, wrong_with
from tests.projects.faults.tokens import TOKENS

_STEPS = 2
RESULT = TOKENS


def attempt(number: int, *places: tuple[int, int]) -> list[Seen]:
    told: list[tuple[str, Any]] = [("metadata", {"attempt": number})]
    for step, token in places:
        result = {"step": {"done": [f"run:{step}"]}}
        told.append(("updates", result) if token == RESULT else ("custom", {"step": step, "token": token}))
    return [Seen(f"{number}-{place}", event, data) for place, (event, data) in enumerate(told, 1)]


def step(number: int) -> list[tuple[int, int]]:
    return [(number, token) for token in range(TOKENS + 1)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([*step(0), *step(1)], None),
        ([*step(0), (1, 0)], step(1)),
        (step(0), [*step(0), *step(1)]),
        # The first step's result was saved, the checkpoint after it was not.
        (step(0)[:RESULT], [(0, RESULT), *step(1)]),
        (step(0), [(0, RESULT), *step(1)]),
    ],
)
def test_a_stream_without_gaps(first: list[tuple[int, int]], second: list[tuple[int, int]] | None) -> None:
    seen = attempt(1, *first) + (attempt(2, *second) if second else [])
    assert wrong_with(seen, seen, _STEPS) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([*step(0), *step(1)[1:]], []),
        # A result whose last token nobody has seen.
        (step(0)[: RESULT - 1], [(0, RESULT), *step(1)]),
        ([(0, RESULT), *step(1)], []),
        ([*step(0), (1, 0)], step(1)[1:]),
        ([*step(0), (1, 0), *step(1)], []),
        (step(0)[:RESULT], step(1)),
    ],
)
def test_a_stream_with_gaps_or_repeats(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    seen = attempt(1, *first) + (attempt(2, *second) if second else [])
    assert wrong_with(seen, seen, _STEPS)


def test_an_event_that_is_kept_and_was_not_shown() -> None:
    log = attempt(1, *step(0), *step(1))
    assert wrong_with([event for event in log if event.id != "1-3"], log, _STEPS)
