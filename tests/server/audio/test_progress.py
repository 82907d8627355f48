"""How far it is, how long it will take, and why it failed (G06)."""

import pytest

from server.audio.listening import coarser
from server.audio.progress import Steps, reason, remaining
from server.audio.schemas import Waveform


def steps(count: int, *ends: float) -> Steps:
    return Steps(done={str(place): end for place, end in enumerate(ends)}, count=count)


@pytest.mark.parametrize(
    ("found", "completed", "percent"),
    [
        (steps(0), False, 0),
        (steps(4), False, 0),
        (steps(3, 1.0), False, 33),
        (steps(4, 1.0, 2.0, 3.0), False, 75),
        # All steps are done, and nobody has said yet that it is stored.
        (steps(2, 1.0, 2.0), False, 99),
        (steps(1, 1.0, 2.0), False, 99),
        (steps(0), True, 100),
    ],
)
def test_percent(found: Steps, percent: int, *, completed: bool) -> None:
    assert found.percent(completed=completed) == percent


@pytest.mark.parametrize(
    ("found", "begun", "now", "usual", "seconds"),
    [
        # Nothing is known.
        (steps(4), 100.0, 105.0, None, None),
        (steps(0), None, 105.0, None, None),
        # Two of four steps took ten seconds each; three seconds ago the last one ended.
        (steps(4, 110.0, 120.0), 100.0, 123.0, None, 17),
        # It is slower than before.
        (steps(4, 110.0, 120.0), 100.0, 160.0, None, 1),
        # It waits, and such a run takes a minute.
        (steps(0), None, 105.0, 60.0, 60),
        (steps(0), 100.0, 105.0, 60.0, 55),
        (steps(4), 100.0, 200.0, 60.0, 1),
        # Two steps were done before it failed; it went on at 200 and did one more in five seconds.
        (steps(4, 110.0, 120.0, 205.0), 200.0, 206.0, None, 4),
        (steps(4, 110.0, 120.0), 200.0, 206.0, None, None),
        (steps(4, 110.0, 120.0), 200.0, 206.0, 60.0, 24),
    ],
)
def test_remaining(found: Steps, begun: float | None, now: float, usual: float | None, seconds: int | None) -> None:
    assert remaining(found, begun, now, usual) == seconds


@pytest.mark.parametrize(
    ("status", "code", "message", "sentence"),
    [
        (502, "MODEL_FAILED", "模型暂时不可用，请稍后再试", "模型暂时不可用，请稍后再试"),
        (503, "TRANSCRIBE_UNAVAILABLE", "x" * 300, "x" * 200),
        (500, "INTERNAL", "The run failed because of an internal error.", "处理失败，请稍后重试"),
        (500, "RECURSION_LIMIT", "The workflow took more steps.", "处理失败，请稍后重试"),
        (500, "WORKER_LOST", "The process died.", "处理多次中断，请重试"),
        (None, None, None, "处理已被取消，可以重试"),
        (500, None, None, "处理失败，请稍后重试"),
    ],
)
def test_reasons(status: int | None, code: str | None, message: str | None, sentence: str) -> None:
    assert reason(status, code, message) == sentence


def test_a_coarser_waveform_keeps_what_is_loud() -> None:
    fine = Waveform(duration=1, lowest=[-0.1, -0.5, -0.2, -0.3, 0], highest=[0.1, 0.2, 0.9, 0, 0.4])
    assert coarser(fine, 2) == Waveform(duration=1, lowest=[-0.5, -0.3], highest=[0.2, 0.9])
    assert coarser(fine, 1) == Waveform(duration=1, lowest=[-0.5], highest=[0.9])
    assert coarser(fine, 99) == fine
