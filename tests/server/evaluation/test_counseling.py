"""`colloquy eval counseling` on three sessions, its labels, and what it sees in outputs that break them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nodes.counseling.records import SLOTS, memory_from
from server.cli import app
from server.evaluation.counseling import Outcome, judged
from server.evaluation.recorded_sessions import RecordedSession, holds, load

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "counseling"
THREE = ("tuned/02-secret-told.json", "tuned/05-hostile-instruction.json", "held_out/03-camera.json")
GIVEN: dict[str, Any] = {
    "title": "一次",
    "visitor": 1,
    "session_number": 2,
    "labels": {"earlier": ["陈佳", "缺课两次|两次缺课"], "session": ["请假条|假条"], "absent": ["痊愈"]},
    "memory": memory_from({"milestones": "和陈佳说了两次 缺课的事"}),
    "last_activity": None,
    "homework": "",
    "assignment": "记录",
    "chat": [{"speaker": "ai", "content": "那张假条是假的"}],
}
RECORDED = RecordedSession.model_validate(GIVEN)
OUTPUT: dict[str, Any] = {
    "diary": "<diary>说了假条的事</diary>",
    "activity": {"summary": "上课"},
    "ltm": memory_from({"milestones": "陈佳；缺课两次", "thisweek_focus": "记录"}),
    "fallbacks": [],
    "attempts": {"diary": 1, "activity": 1, "ltm": 1},
}


def outcome(**changes: Any) -> Outcome:
    return judged("tuned", "one", 0.0, RECORDED, OUTPUT | changes)


def test_a_good_output() -> None:
    one = outcome()
    assert one.first == ("diary", "activity", "ltm")
    assert (one.kept, one.lost) == (("陈佳", "缺课两次|两次缺课"), ())
    assert (one.told, one.untold, one.wrong, one.fallbacks) == (("请假条|假条",), (), (), ())


def test_what_is_lost_untold_wrong_or_late_is_seen() -> None:
    assert outcome(ltm=memory_from({"milestones": "陈佳"})).lost == ("缺课两次|两次缺课",)
    assert outcome(diary="<diary>无</diary>").untold == ("请假条|假条",)
    assert outcome(activity={"summary": "她痊愈了"}).wrong == ("痊愈",)
    assert outcome(attempts={"diary": 2, "activity": 1, "ltm": 3}).first == ("activity",)
    late = outcome(fallbacks=["activity"])
    assert (late.first, late.fallbacks) == (("diary", "ltm"), ("activity",))


def test_the_diary_is_no_memory() -> None:
    """An earlier fact must stand in the memory: the diary of one session is not read in the next but one."""
    assert outcome(diary="<diary>陈佳，两次缺课，假条</diary>", ltm=memory_from({})).kept == ()


@pytest.mark.parametrize(
    ("text", "fact", "found"),
    [("请 假\n条", "请假条", True), ("假条", "请假条|假条", True), ("Ab", "aB", True), ("假", "假条", False)],
)
def test_a_fact_in_one_of_its_ways(text: str, fact: str, *, found: bool) -> None:
    assert holds(text, fact) is found


@pytest.mark.parametrize(
    "change",
    [
        {"visitor": 11},
        {"chat": []},
        {"labels": {"earlier": ["李雷"], "session": [], "absent": []}},
        {"labels": {"earlier": [], "session": ["没说过"], "absent": []}},
        {"memory": {"milestones": "x"}},
        {"unknown": 1},
    ],
)
def test_a_session_whose_labels_are_of_something_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="RecordedSession"):
        RecordedSession.model_validate(GIVEN | change)


def test_there_are_enough_sessions_and_a_third_is_held_out() -> None:
    sets = load(EXAMPLES)
    every = [*sets["tuned"].values(), *sets["held_out"].values()]
    assert len(every) >= 10
    assert len(sets["held_out"]) * 3 >= len(every)
    assert len({each.visitor for each in every}) == 10
    assert any("</transcript>" in line["content"] for each in every for line in each.chat)
    assert any(len(each.chat) > 150 for each in every)
    assert any(each.memory == memory_from({}) for each in every)
    assert sum(len(each.labels.earlier) for each in every) >= 40
    assert all(each.labels.session for each in every)
    assert tuple(every[0].memory) == SLOTS


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in THREE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(EXAMPLES / name, tmp_path / name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MODEL_DEFAULT", "offline")
    return tmp_path


def test_three_sessions_with_the_offline_model(three: Path) -> None:
    result = CliRunner().invoke(app, ["eval", "counseling", "--sessions", str(three)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "counseling, models: offline"
    [tuned] = [line for line in lines if line.startswith("tuned:")]
    [held_out] = [line for line in lines if line.startswith("held_out:")]
    assert "2 sessions, valid at the first attempt 6/6 stages, with fallbacks 0, earlier facts kept 7/7" in tuned
    assert "1 sessions, valid at the first attempt 3/3 stages, with fallbacks 0, earlier facts kept 4/4" in held_out
    assert "wrong 0, failed 0" in tuned
    assert "figures of the offline model" in result.output


def test_a_model_that_is_down_leaves_fallbacks(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_LTM", "openai:none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    result = CliRunner().invoke(app, ["eval", "counseling", "--sessions", str(three)])
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if "2/3" in line and "ltm.milestones" in line]
    assert len(rows) == 3
    # What earlier sessions established is still there (W30).
    assert "earlier facts kept 7/7" in result.output


@pytest.mark.parametrize("content", [None, "{}", "no JSON", json.dumps({"title": "x"})])
def test_no_sessions_is_a_sentence(three: Path, content: str | None) -> None:
    shutil.rmtree(three / "tuned")
    shutil.rmtree(three / "held_out")
    if content is not None:
        (three / "tuned").mkdir()
        (three / "tuned" / "01.json").write_text(content)
    result = CliRunner().invoke(app, ["eval", "counseling", "--sessions", str(three)])
    assert result.exit_code == 1
    assert "recorded" in result.output
