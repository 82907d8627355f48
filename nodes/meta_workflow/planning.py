"""Step 3: the plan decides which steps run, with what focus, and which sections the text has (G33)."""

from typing import Any

from langgraph.types import Send, StreamWriter

from nodes.common.structured import ask_for
from nodes.meta_workflow.events import tell_phase
from nodes.meta_workflow.plan import Planned, made
from nodes.meta_workflow.prompting import about_plan
from nodes.meta_workflow.retrieval import after_retrieval
from nodes.meta_workflow.state import MetaState, Phase, Plan


async def planning(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Ask for the plan.

    Raises:
        ModelFailed: there is none that can be carried out, also after a repair (G43).
    """
    answer = await ask_for("planning", about_plan(state), Planned)
    plan = made(
        answer.value,
        has_documents=bool(state["outline"]),
        asks_documents=state["intent"] == "document_query",
        message=state["turn"]["message"],
    )
    item = Phase(phase="planning", content=_told(plan))
    return {"plan": plan, "thinking_process": tell_phase(writer, item, len(state["thinking_process"]))}


def after_planning(state: MetaState) -> str | list[Send]:
    """Choose what is next in the plan: documents, analysis, or at once the writing."""
    return "retrieval" if "retrieval" in state["plan"]["focus"] else after_retrieval(state)


def _told(plan: Plan) -> str:
    parts = [f"识别用户需求：{plan['goal']}"]
    if about := "，".join(filter(None, (plan["brand"], plan["product"]))):
        parts.append(f"对象：{about}")
    if focus := plan["focus"].get("analysis"):
        parts.append(f"分析重点：{focus}")
    if plan["queries"]:
        parts.append(f"查阅文档：{'；'.join(plan['queries'])}")
    titles = [section["title"] for section in plan["sections"] if section["title"]]
    if titles:
        parts.append(f"正文分为：{'、'.join(titles)}")
    return "\n".join(parts)
