"""The answer from its four sections (D025, D027)."""

from typing import Any, Final

from nodes.meta_workflow.state import MOST_REVISIONS, PASSING_SCORE, ContentSections, MetaState

_ORDER: Final = ("thinking_narrative", "output", "evaluation", "suggestion")


def undecided(state: MetaState) -> bool:
    """Tell whether somebody should decide about the draft: it is judged below 7, and may still be revised (G34)."""
    judged = state["evaluation"]
    below = judged is not None and judged["score"] < PASSING_SCORE
    return below and state["revisions"] < MOST_REVISIONS and not state["decision"]


def question(state: MetaState) -> str:
    """Return what is asked about the draft."""
    score = state["evaluation"]["score"] if state["evaluation"] else 0
    return (
        f"综合分 {score:g}/10，低于 {PASSING_SCORE} 分。是否需要我按上面的评估意见修订这份内容？"
        "回复「修订」，我就逐条修改并重新评估；回复「不用」，就保留现在的内容。"
    )


def joined(sections: ContentSections) -> str:
    """Return the full text: the sections that hold anything, in their order, an empty line between them (D027)."""
    parts = [sections[name] for name in _ORDER]
    return "\n\n".join(part for part in parts if part)


def answer(state: MetaState, suggestion: str) -> dict[str, Any]:
    """Return the channels that hold the answer, with this suggestion."""
    story, judged = state["narrative"], state["evaluation"]
    sections = ContentSections(
        thinking_narrative=story["thinking_narrative"] if story else "",
        output=state["output"],
        evaluation=judged["text"] if judged else "",
        suggestion=suggestion,
    )
    return {"content_sections": sections, "response": joined(sections)}
