"""After each round of writing: the sections that are still to come, or all of them joined in the plan's order."""

from typing import Any

from langgraph.types import Send, StreamWriter

from nodes.meta_workflow.citations import cite, cited
from nodes.meta_workflow.content_generation import to_sections
from nodes.meta_workflow.events import tell_phase
from nodes.meta_workflow.facts import length_of
from nodes.meta_workflow.plan import ready
from nodes.meta_workflow.state import MetaState, Phase

_SOURCES = 4


def assembly(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Join the sections when all are written; what was found in documents and cited nowhere is named at the end."""
    plan = state["plan"]
    if ready(plan, state["drafts"]):
        return {}
    texts = [state["drafts"][section["id"]] for section in plan["sections"]]
    output = "\n\n".join(texts)
    if state["passages"] and not cited(output):
        sources = f"\n\n参考资料：{'；'.join(str(cite(passage)) for passage in state['passages'][:_SOURCES])}"
        writer({"type": "delta", "section": plan["sections"][-1]["id"], "text": sources})
        output += sources
    item = Phase(phase="content_generation", content=_told(state, output))
    return {"output": output, "thinking_process": tell_phase(writer, item, len(state["thinking_process"]))}


def after_assembly(state: MetaState) -> list[Send] | list[str]:
    """Choose the next: more sections; or the judgement, where the plan has one, and the narrative beside it."""
    if not state["output"]:
        return to_sections(state)
    return ["evaluation", "narrative"] if "evaluation" in state["plan"]["focus"] else ["narrative"]


def _told(state: MetaState, output: str) -> str:
    plan = state["plan"]
    strategy = plan["focus"].get("content_generation") or plan["goal"]
    parts = [f"文案策略：{strategy}"]
    parts += [f"{section['title']}：{section['focus']}" for section in plan["sections"] if section["title"]]
    return "\n".join([*parts, f"正文共 {length_of(output)} 个字符"])
