"""Step 7: a judgement from 0 to 10, in the sample's form (D026, G34)."""

import re
from typing import Any, Final

import structlog
from langgraph.types import StreamWriter

from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.meta_workflow.events import tell_phase
from nodes.meta_workflow.prompting import about_answer, about_evaluation
from nodes.meta_workflow.prose import clean, shortened
from nodes.meta_workflow.state import Evaluation, MetaState, Phase

log = structlog.get_logger(__name__)

_LONGEST: Final = 1500
_DIGITS: Final = r"([-+]?\d{1,9}(?:\.\d{1,9})?)"
# "综合分：8/10", "综合分**：8 分", "总分 80/100", '"score": 8', "Overall score: 7.5/10".
_SCORE: Final = re.compile(
    rf"(?:综合(?:评?分|得分)|总(?:评|得)?分|评分|得分|score)[\s*\"'_：:=是为]{{0,12}}{_DIGITS}(?:\s*(?:/|／|分之)\s*(\d{{1,4}}))?",
    re.IGNORECASE,
)
_BARE: Final = re.compile(rf"\A\s*{_DIGITS}\s*(?:(?:/|／)\s*(\d{{1,4}}))?\s*分?\s*\Z")
_SCORE_LINE: Final = re.compile(r"\A[^\n]*(?:综合|总|评分|得分|score)[^\n]*(?:\n|\Z)", re.IGNORECASE)
_LABEL: Final = re.compile(r"^[\s\-*•]*质量评估\**\s*[:：]", re.MULTILINE)
_NO_SCORE: Final = "没有“- 综合分：N/10”这一行，或 N 不是 0 到 10 的数"
_TEN: Final = 10.0


async def evaluation(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Ask for a judgement; where there is none, also after a repair, that section stays empty (G43)."""
    index = len(state["thinking_process"])
    tell_phase(writer, Phase(phase="evaluation", content="正在评估……"), index)
    try:
        judged = await _judged(state)
    except ModelFailed:
        log.warning("evaluation_missing")
        item = Phase(phase="evaluation", content="这次没有得到评估，正文照样给出")
        return {"evaluation": None, "thinking_process": tell_phase(writer, item, index)}
    item = Phase(phase="evaluation", content=judged["text"])
    return {"evaluation": judged, "thinking_process": tell_phase(writer, item, index)}


def score_in(text: str) -> float | None:
    """Read the score of a judgement, brought to a scale of ten and into 0 to 10; None when there is none."""
    found = _SCORE.search(text) or _BARE.match(text)
    if found is None:
        return None
    scale = float(found[2] or 0) or _TEN
    return min(max(float(found[1]) * _TEN / scale, 0.0), _TEN)


def rendered(score: float, answer: str) -> str:
    """Return a judgement in the sample's form: the score's line is ours, the rest is the model's."""
    rest = _SCORE_LINE.sub("", answer, count=1).strip() if _SCORE.search(answer) else ""
    if rest and not _LABEL.search(rest):
        rest = f"- 质量评估：{rest}"
    return shortened(f"- 综合分：{score:g}/10" + (f"\n{rest}" if rest else ""), _LONGEST)


async def _judged(state: MetaState) -> Evaluation:
    asked = about_evaluation(state)
    answer = clean((await ask("evaluation", asked)).text, complete=True)
    score = score_in(answer)
    if score is None:
        answer = clean((await ask("evaluation", about_answer(asked, answer, [_NO_SCORE]))).text, complete=True)
        score = score_in(answer)
    if score is None:
        raise ModelFailed("模型没有给出可用的评估")
    score = round(score, 1)
    return Evaluation(score=score, text=rendered(score, answer))
