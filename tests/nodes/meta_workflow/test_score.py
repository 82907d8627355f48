"""The score of a judgement, however a model writes it (D026, G34)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.meta_workflow.evaluation import rendered, score_in


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("- 综合分：8/10\n- 质量评估：好", 8),
        ("- **综合分**：7.5/10", 7.5),
        ("综合评分: 8", 8),
        ("总分为 80/100", 8),
        ("综合得分 6 分，切题 4/4", 6),
        ('{"score": 9, "comment": "good"}', 9),
        ("Overall score: 7/10", 7),
        ("8/10", 8),
        (" 7 分 ", 7),
        ("- 综合分：12/10", 10),
        ("- 综合分：-3/10", 0),
        ("- 综合分：999999999", 10),
        ("- 综合分：8/0", 8),
        ("切题 4/4，可用 3/3\n- 综合分：8/10", 8),
        ("- 综合分：N/10", None),
        ("写得很好", None),
        ("", None),
        ("第 3 段可以更短，切题 4/4", None),
    ],
)
def test_what_is_read(text: str, score: float | None) -> None:
    assert score_in(text) == score


@given(st.text(max_size=200))
def test_any_text_is_a_score_in_range_or_none(text: str) -> None:
    score = score_in(text)
    assert score is None or 0 <= score <= 10


@given(st.decimals(min_value=-100, max_value=100, places=1), st.text(max_size=80))
def test_a_score_is_clamped_and_shown_as_read(number: object, rest: str) -> None:
    answer = f"- 综合分：{number}/10\n{rest}"
    score = score_in(answer)
    assert score is not None
    assert score == min(max(float(str(number)), 0), 10)
    shown = rendered(score, answer)
    assert shown.splitlines()[0] == f"- 综合分：{score:g}/10"
    assert score_in(shown) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("- 综合分：8/10\n- 质量评估：好\n- 修改要点：无", "- 综合分：8/10\n- 质量评估：好\n- 修改要点：无"),
        ("综合评分: 8\n文字顺畅。", "- 综合分：8/10\n- 质量评估：文字顺畅。"),
        ("8/10", "- 综合分：8/10"),
        ("- **综合分**：8 / 10", "- 综合分：8/10"),
    ],
)
def test_the_samples_form(answer: str, shown: str) -> None:
    assert rendered(8, answer) == shown
