"""`colloquy eval deep-chat` on three briefs, and its checks on answers that break them."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server.cli import app
from server.evaluation.briefs import Brief, load
from server.evaluation.checks import CHECKS

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "deep_chat"
THREE = ("tuned/01-headphones.json", "tuned/07-hostile-document.json", "held_out/03-venue-rules.json")
BRIEF = Brief.model_validate(
    {
        "title": "露营灯",
        "message": "为露营灯写一份文案",
        "tags": ["露营"],
        "documents": [{"filename": "手册.md", "text": "续航 40 小时。"}],
        "labels": {"intents": ["document_query"], "mentions": ["40 小时"], "cites": ["手册.md"], "absent": ["最亮"]},
    }
)
TEXT = "露营时点亮一盏灯，续航40小时（《手册.md》第1段）。" + "夜里也看得见孩子的脸。" * 60
SECTIONS = {
    "thinking_narrative": "我先读了手册。",
    "output": TEXT,
    "evaluation": "- 综合分：8/10\n- 质量评估：正文 690 个字符，切题。",
    "suggestion": "可以再写一版。",
}
ANSWER: dict[str, Any] = {
    "response": "\n\n".join(SECTIONS.values()),
    "content_sections": SECTIONS,
    "thinking_process": [{"phase": "planning", "content": "…"}, {"phase": "content_generation", "content": "…"}],
    "intent": "document_query",
    "status": "done",
}


def changed(section: str, text: str) -> dict[str, Any]:
    answer = copy.deepcopy(ANSWER)
    answer["content_sections"][section] = text
    return answer | {"response": "\n\n".join(answer["content_sections"].values())}


def broken(answer: dict[str, Any]) -> set[str]:
    return {name for name, holds in CHECKS.items() if not holds(BRIEF, answer)}


def test_a_good_answer_passes_all() -> None:
    assert broken(ANSWER) == set()


@pytest.mark.parametrize(
    ("answer", "checks"),
    [
        (ANSWER | {"response": TEXT}, {"structure"}),
        (ANSWER | {"intent": "casual_chat"}, {"structure"}),
        (ANSWER | {"status": "awaiting_decision"}, {"structure"}),
        (ANSWER | {"thinking_process": []}, {"structure"}),
        (changed("suggestion", ""), {"structure"}),
        (changed("evaluation", "很好"), {"structure", "agreement"}),
        (changed("evaluation", "- 综合分：8/10\n- 质量评估：正文 200 字。"), {"agreement"}),
        (changed("output", TEXT + "句子。" * 200), {"length", "agreement"}),
        (changed("output", TEXT.replace("露营", "出门")), {"tags"}),
        (changed("output", TEXT.replace("40小时", "很久")), {"words"}),
        (changed("output", TEXT + "这是最亮的灯。"), {"words"}),
        (changed("output", TEXT.replace("（《手册.md》第1段）", "")), {"documents", "agreement"}),
        (changed("output", TEXT + "（《无》第1段）"), {"documents", "agreement"}),
    ],
)
def test_each_check_sees_what_it_is_for(answer: dict[str, Any], checks: set[str]) -> None:
    assert broken(answer) == checks


def test_a_perfect_score_needs_a_text_without_fault() -> None:
    answer = changed("output", TEXT.replace("露营", "出门"))
    answer["content_sections"]["evaluation"] = "- 综合分：10/10\n- 质量评估：好。"
    assert "agreement" in broken(answer)


def test_there_are_enough_briefs_and_a_third_is_held_out() -> None:
    sets = load(EXAMPLES)
    assert len(sets["tuned"]) + len(sets["held_out"]) >= 12
    assert len(sets["held_out"]) * 3 >= len(sets["tuned"]) + len(sets["held_out"])
    assert any(brief.documents for brief in sets["held_out"].values())


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in THREE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(EXAMPLES / name, tmp_path / name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MODEL_DEFAULT", "offline")
    return tmp_path


def test_three_briefs_with_the_offline_model(three: Path) -> None:
    result = CliRunner().invoke(app, ["eval", "deep-chat", "--briefs", str(three)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "deep chat, models: offline"
    rows = [line for line in lines if "01-headphones" in line or "07-hostile" in line or "03-venue" in line]
    assert len(rows) == 3
    assert not any("NO" in row or "failed" in row for row in rows)
    [tuned] = [line for line in lines if line.startswith("tuned:")]
    [held_out] = [line for line in lines if line.startswith("held_out:")]
    assert tuned.startswith("tuned: 2 briefs, all checks 2;")
    assert held_out.startswith("held_out: 1 briefs, all checks 1;")
    assert "figures of the offline model" in result.output


def test_a_model_that_fails_is_a_row(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_PLANNING", "openai:none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("MODEL_MAX_ATTEMPTS", "1")
    result = CliRunner().invoke(app, ["eval", "deep-chat", "--briefs", str(three)])
    assert result.exit_code == 0, result.output
    assert result.output.count("failed: MODEL_FAILED") == 3


@pytest.mark.parametrize("content", [None, "{}", "no JSON", json.dumps({"message": "x"})])
def test_no_briefs_is_a_sentence(three: Path, content: str | None) -> None:
    shutil.rmtree(three / "tuned")
    shutil.rmtree(three / "held_out")
    if content is not None:
        (three / "tuned").mkdir()
        (three / "tuned" / "01.json").write_text(content)
    result = CliRunner().invoke(app, ["eval", "deep-chat", "--briefs", str(three)])
    assert result.exit_code == 1
    assert "brief" in result.output
