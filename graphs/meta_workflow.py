"""Deep chat (D029, G33): intent, plan, documents, analysis, writing, judgement, revision, compilation.

Timeouts are per node; retries are `ask`'s alone (X027).
"""

from typing import Any, Final

from langgraph.graph import END, START, StateGraph

from nodes.meta_workflow.analysis import analysis
from nodes.meta_workflow.assembly import after_assembly, assembly
from nodes.meta_workflow.begin import begin
from nodes.meta_workflow.compilation import compilation
from nodes.meta_workflow.content_generation import content_generation, to_sections
from nodes.meta_workflow.decide import after_decide, decide
from nodes.meta_workflow.draft import after_draft, draft
from nodes.meta_workflow.evaluation import evaluation
from nodes.meta_workflow.intent import after_intent, intent
from nodes.meta_workflow.narrative import narrative
from nodes.meta_workflow.planning import after_planning, planning
from nodes.meta_workflow.prompting import VERSIONS
from nodes.meta_workflow.reply import reply
from nodes.meta_workflow.retrieval import after_retrieval, retrieval
from nodes.meta_workflow.revision import after_revision, revision
from nodes.meta_workflow.state import MetaInput, MetaOutput, MetaState, SectionTask

# Seconds. A node makes two model calls at most, each with its role's limit and attempts; this ends what trickles on.
_ASKING_TIMEOUT: Final = 240.0
_SEARCHING_TIMEOUT: Final = 30.0


def build() -> StateGraph[MetaState, Any, MetaInput, MetaOutput]:
    """Return the graph without a checkpointer: whoever runs it brings one (X014)."""
    builder = StateGraph(MetaState, input_schema=MetaInput, output_schema=MetaOutput)
    builder.add_node("begin", begin, timeout=_SEARCHING_TIMEOUT)
    builder.add_node("intent", intent, timeout=_ASKING_TIMEOUT)
    builder.add_node("reply", reply, timeout=_ASKING_TIMEOUT)
    builder.add_node("planning", planning, timeout=_ASKING_TIMEOUT)
    builder.add_node("retrieval", retrieval, timeout=_SEARCHING_TIMEOUT)
    builder.add_node("analysis", analysis, timeout=_ASKING_TIMEOUT)
    builder.add_node("content_generation", content_generation, input_schema=SectionTask, timeout=_ASKING_TIMEOUT)
    builder.add_node("assembly", assembly)
    builder.add_node("evaluation", evaluation, timeout=_ASKING_TIMEOUT)
    builder.add_node("narrative", narrative, timeout=_ASKING_TIMEOUT)
    builder.add_node("draft", draft, timeout=_SEARCHING_TIMEOUT)
    builder.add_node("decide", decide)
    builder.add_node("revision", revision, timeout=_ASKING_TIMEOUT)
    builder.add_node("compilation", compilation, timeout=_SEARCHING_TIMEOUT)
    _connect(builder)
    return builder


def _connect(builder: StateGraph[MetaState, Any, MetaInput, MetaOutput]) -> None:
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "intent")
    builder.add_conditional_edges("intent", after_intent, ["reply", "planning"])
    builder.add_edge("reply", "compilation")
    builder.add_conditional_edges("planning", after_planning, ["retrieval", "analysis", "content_generation"])
    builder.add_conditional_edges("retrieval", after_retrieval, ["analysis", "content_generation"])
    builder.add_conditional_edges("analysis", to_sections, ["content_generation"])
    builder.add_edge("content_generation", "assembly")
    builder.add_conditional_edges("assembly", after_assembly, ["content_generation", "evaluation", "narrative"])
    builder.add_edge("evaluation", "draft")
    builder.add_edge("narrative", "draft")
    builder.add_conditional_edges("draft", after_draft, ["decide", "compilation"])
    builder.add_conditional_edges("decide", after_decide, ["decide", "revision", "compilation"])
    builder.add_conditional_edges("revision", after_revision, ["evaluation", "narrative"])
    builder.add_edge("compilation", END)


# Which prompts a run was answered with stands in the metadata of its checkpoints and traces.
_PROMPTS: Final = " ".join(f"{name}@{version}" for name, version in VERSIONS.items())
graph = build().compile(name="meta_workflow").with_config(metadata={"prompts": _PROMPTS})
