"""When a server is left alone, and when it is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from tools.mcp.breaker import CircuitBreaker


class Now:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def opened(now: Now) -> CircuitBreaker:
    breaker = CircuitBreaker(failures_to_open=3, cool_down_seconds=10, clock=now)
    for _failure in range(3):
        breaker.failed()
    return breaker


def test_it_opens_at_the_last_failure_in_a_row() -> None:
    breaker = CircuitBreaker(failures_to_open=3, clock=Now())
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert (breaker.state, breaker.admit()) == ("closed", True)
    breaker.failed()
    assert (breaker.state, breaker.admit()) == ("open", False)


def test_one_passes_after_the_cool_down_and_its_success_closes() -> None:
    now = Now()
    breaker = opened(now)
    now.seconds += 9.9
    assert not breaker.admit()
    now.seconds += 0.1
    assert breaker.state == "half_open"
    assert [breaker.admit(), breaker.admit()] == [True, False]
    breaker.succeeded()
    assert (breaker.state, breaker.admit()) == ("closed", True)


def test_a_failed_trial_opens_it_for_another_cool_down() -> None:
    now = Now()
    breaker = opened(now)
    now.seconds += 10
    assert breaker.admit()
    breaker.failed()
    assert breaker.state == "open"
    now.seconds += 10
    assert breaker.admit()


def test_a_trial_that_nobody_ends_does_not_block_for_ever() -> None:
    now = Now()
    breaker = opened(now)
    now.seconds += 10
    assert breaker.admit()
    now.seconds += 9
    assert not breaker.admit()
    now.seconds += 1
    assert breaker.admit()


@given(st.lists(st.sampled_from(["fail", "succeed", "wait", "ask"]), max_size=60))
def test_whatever_happens_a_success_closes_it_and_enough_time_lets_one_pass(events: list[str]) -> None:
    now = Now()
    breaker = CircuitBreaker(failures_to_open=2, cool_down_seconds=5, clock=now)
    failures = 0
    for event in events:
        match event:
            case "fail":
                breaker.failed()
                failures += 1
            case "succeed":
                breaker.succeeded()
                failures = 0
            case "wait":
                now.seconds += 3
            case _:
                breaker.admit()
        assert (breaker.state == "closed") == (failures < 2)
    now.seconds += 10
    assert breaker.admit()
