"""`colloquy eval audio` on a few transcripts, its labels, and what it sees in strategies that break them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.settings import SettingsError
from server.cli import app
from server.evaluation.audio import Outcome, judged
from server.evaluation.audio_transcripts import LabelledTranscript, load

EXAMPLES = Path(__file__).parents[3] / "examples" / "audio"
THREE = ("01-launch-slips", "24-supplier-price", "35-new-hire-questions")
GIVEN: dict[str, Any] = {
    "title": "一次",
    "language": "zh",
    "scene": "workplace",
    "skill": "a",
    "held_out": False,
    "dialogues": [{"speaker": "经理", "start": 0.0, "end": 2.0, "text": "周五能上吗？可能 要延期。"}],
    "moments": ["周五能上吗|周五", "要延期"],
}
TRANSCRIPT = LabelledTranscript.model_validate(GIVEN)


def piece(advice: str, *quotes: str, skills: tuple[str, ...] = ("a",)) -> dict[str, Any]:
    return {"title": "", "insight": "", "advice": advice, "script": "", "quotes": list(quotes), "skills": list(skills)}


STRATEGY: dict[str, Any] = {
    "scene_category": "workplace",
    "scene_confidence": 0.9,
    "applied_skills": ["a", "b"],
    "strategies": [piece("先说结论再讲经过", "周五能上吗"), piece("给出两个选择请他定", "要延期", skills=("b",))],
    "visual_data": [],
}


def outcome(**changes: Any) -> Outcome:
    return judged("tuned", "one", 0.0, TRANSCRIPT, STRATEGY | changes)


def test_a_good_strategy() -> None:
    one = outcome()
    assert (one.scene, one.skill, one.fused, one.attributed) == (True, True, True, True)
    assert (one.advices, one.bare, one.quoted, one.quotes, one.repeated) == (2, 0, 2, 2, 0)
    assert (one.touched, one.moments) == (2, 2)


def test_what_is_wrong_is_seen() -> None:
    assert not outcome(scene_category="family").scene
    assert not outcome(applied_skills=["b", "a"]).skill
    assert not outcome(applied_skills=["a", "b", "c"]).attributed
    assert not outcome(strategies=[piece("x"), piece("y", skills=())]).attributed
    assert not outcome(strategies=[piece("x"), piece("y", skills=("b", "d"))]).attributed
    assert outcome(strategies=[piece("x", "没有说过", "周五……延期")]).quoted == 1
    assert outcome(strategies=[piece("x"), piece("y", "延期")]).bare == 1
    same = outcome(strategies=[piece("先说结论再讲经过"), piece("先说结论，再讲经过！", skills=("b",))])
    assert same.repeated == 1
    assert outcome(strategies=[piece("谈谈周五的事")]).touched == 1


def test_labels_are_of_what_was_said(tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    with pytest.raises(SettingsError, match="no transcripts"):
        load(tmp_path)
    one = {key: value for key, value in GIVEN.items() if key != "moments"}
    (tmp_path / "scenes" / "one.json").write_text(json.dumps(one))
    assert load(tmp_path)["tuned"]["one"].moments == []
    for moments, wrong in (
        ({"one": ["没说过"]}, "was not said"),
        ({"two": []}, "moments of others"),
        ([], "no moments"),
    ):
        (tmp_path / "moments.json").write_text(json.dumps(moments))
        with pytest.raises(SettingsError, match=wrong):
            load(tmp_path)
    (tmp_path / "moments.json").unlink()
    (tmp_path / "scenes" / "one.json").write_text("[]")
    with pytest.raises(SettingsError, match="no labelled transcript"):
        load(tmp_path)


def test_fused_ones_have_moments_and_a_third_of_them_is_held_out() -> None:
    sets = load(EXAMPLES)
    counts = {name: sum(bool(one.moments) for one in found.values()) for name, found in sets.items()}
    workplace = [one for found in sets.values() for one in found.values() if one.scene == "workplace"]
    assert all(len(one.moments) == 3 for one in workplace)
    assert counts["held_out"] * 3 >= sum(counts.values())


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "scenes").mkdir()
    for name in THREE:
        shutil.copy(EXAMPLES / "scenes" / f"{name}.json", tmp_path / "scenes")
    monkeypatch.setenv("MODEL_DEFAULT", "offline")
    result = CliRunner().invoke(app, ["eval", "audio", "--folder", str(tmp_path)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_table(printed: str) -> None:
    assert "audio strategy, models: offline" in printed
    assert all(name in printed for name in THREE)
    assert "tuned: 2 transcripts, scene 2/2, first skill 2/2, fused 1; attribution 2/2" in printed
    assert "held_out: 1 transcripts" in printed
    assert "repetitions 0" in printed
    assert "figures of the offline model" in printed
