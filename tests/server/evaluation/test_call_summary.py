"""`colloquy eval call-summary`: its labelled calls, its counting, and its table (C053, G29)."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.settings import SettingsError
from nodes.call_summary.transcript import transcript_lines
from server.cli import app
from server.evaluation.call_points import KINDS, LabelledCall, coverage, load

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "call_summary"
CALLS = load(EXAMPLES)
ALL = [(f"{group}/{name}", call) for group, calls in CALLS.items() for name, call in calls.items()]
CALL = LabelledCall.model_validate(
    {
        "title": "退货",
        "transcript": ["A: 您好。", "U: 我要退货，订单K9。", "A: 三天内退款80元。"],
        "points": {
            "request": [{"point": "退货", "words": [["退货", "退掉"], ["K9"]]}],
            "outcome": [{"point": "三天退款", "words": [["三天", "3天"]]}],
        },
        "absent": ["五星好评"],
    }
)


def test_there_are_enough_and_a_third_is_held_out() -> None:
    assert len(ALL) >= 24
    assert len(CALLS["held_out"]) * 3 >= len(ALL)
    titles = [call.title for _, call in ALL]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(("name", "call"), ALL, ids=[name for name, _ in ALL])
def test_labels_can_be_met(name: str, call: LabelledCall) -> None:
    """Every point has a word that was said in the call; nothing is asked for and forbidden at once."""
    whole = coverage(call, "\n".join(call.transcript))
    assert call.points["request"]
    assert len(whole.missing) <= 1, whole.missing
    ideal = "\n".join("，".join(words[0] for words in point.words) for kind in KINDS for point in call.points[kind])
    found = coverage(call, ideal)
    assert (found.share, found.false) == (1.0, [])
    assert len(transcript_lines(call.messages)) == len(call.transcript)


@pytest.mark.parametrize(
    ("summary", "covered", "missing"),
    [
        ("客户要退掉订单 k9，３天内退款。", {"request": 1, "outcome": 1}, []),
        ("客户要退货，三天内退款。", {"request": 0, "outcome": 1}, ["退货"]),
        ("", {"request": 0, "outcome": 0}, ["退货", "三天退款"]),
    ],
)
def test_counting(summary: str, covered: dict[str, int], missing: list[str]) -> None:
    found = coverage(CALL, summary)
    assert {kind: found.covered[kind] for kind in ("request", "outcome")} == covered
    assert found.asked == {"request": 1, "key_information": 0, "outcome": 1}
    assert found.missing == missing
    assert found.share == sum(covered.values()) / 2


def test_what_must_not_be_there() -> None:
    assert coverage(CALL, "客户给出五星 好评").false == ["五星好评"]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["eval", "call-summary", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODEL_DEFAULT", "offline")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    for name in ("tuned/01-hotel-change", "tuned/12-injection", "held_out/01-airline"):
        target = tmp_path / "calls" / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / f"{name}.json", target)
    return tmp_path / "calls"


def test_the_table(three: Path) -> None:
    output = run("--calls", str(three), "--missing")
    lines = output.splitlines()
    assert lines[0] == "call summary, model: offline"
    assert [line.split()[:2] for line in lines if "/" in line and "points" not in line][:2] == [
        ["tuned", "01-hotel-change"],
        ["tuned", "12-injection"],
    ]
    assert "must not be there: " in output
    assert any(line.startswith("tuned: 2 calls, ") for line in lines)
    assert any(line.startswith("held_out: 1 calls, ") for line in lines)
    assert "figures of the offline model" in output


def test_a_call_that_fails_is_a_row(three: Path) -> None:
    empty = CALL.model_copy(update={"transcript": ["U: …"]})
    (three / "tuned" / "02-empty.json").write_text(empty.model_dump_json(), encoding="utf-8")
    output = run("--calls", str(three))
    assert "02-empty" in output
    assert "failed: NO_MESSAGES" in output
    assert "failed 1" in output


@pytest.mark.parametrize("text", ["{", "{}", '{"title": "x", "transcript": ["X: a"], "points": {}}', "é"])
def test_files_that_are_none(three: Path, text: str) -> None:
    (three / "tuned" / "02-bad.json").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match="02-bad"):
        load(three)


def test_no_calls(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no labelled calls"):
        load(tmp_path)
