"""A small stand-in for deep chat: three steps that ask the models they are named after, and the interrupt (G34).

Its custom events, output and interrupt are those of the real one; what it does not do is think.
"""

from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.common.resources import resources
from nodes.meta_workflow.decisions import decision_in
from nodes.meta_workflow.records import ChatRecords, Documents, InMemoryChatRecords, InMemoryDocuments


class State(TypedDict, total=False):
    message: str
    tags: list[str]
    session_id: str
    memory: dict[str, Any]
    turns: list[dict[str, str]]
    turn_id: str
    thinking_process: list[dict[str, str]]
    output: str
    score: int
    rounds: int
    response: str
    content_sections: dict[str, str]
    intent: str
    status: str


async def _asked(role: Any, *parts: object, **heard: Any) -> str:
    return (await ask(role, [HumanMessage("\n".join(map(str, parts)))], **heard)).text


async def planning(state: State) -> dict[str, Any]:
    content = await _asked("planning", state["message"], state["tags"], state["turns"], state["memory"])
    phase = {"phase": "planning", "content": content}
    get_stream_writer()({"type": "phase", **phase, "index": 0})
    return {
        "thinking_process": [phase],
        "intent": "free_discussion",
        "rounds": 0,
        "turn_id": str(resources().ids.uuid()),
    }


async def content_generation(state: State) -> dict[str, Any]:
    write = get_stream_writer()
    found = await resources().repository(Documents, InMemoryDocuments).search(state["session_id"], state["message"])
    text = await _asked(
        "content_generation",
        state["message"],
        [passage["text"] for passage in found],
        on_text=lambda text: write({"type": "delta", "section": "1", "text": text}),
        on_restart=lambda: write({"type": "reset", "section": "1"}),
    )
    if not text:
        raise ModelFailed("没有内容")
    return {"output": text}


async def evaluation(state: State) -> dict[str, Any]:
    score = int(await _asked("evaluation", state["output"]))
    waits = score < 7 and state["rounds"] < 2
    sections = {
        "thinking_narrative": "我先想了想。",
        "output": state["output"],
        "evaluation": f"- 综合分：{score}/10\n- 质量评估：可以",
        "suggestion": "是否需要修订？" if waits else "可以继续",
    }
    answer = {
        "response": "\n\n".join(sections.values()),
        "content_sections": sections,
        "status": "awaiting_decision" if waits else "done",
    }
    await _save({**state, **answer})  # type: ignore[typeddict-item]
    return {"score": score, **answer}


async def _save(state: State) -> None:
    answer = {
        name: state.get(name) for name in ("response", "thinking_process", "content_sections", "intent", "status")
    }
    memory = {"content": state["output"], "suggestions": [state["content_sections"]["suggestion"]]}
    records = resources().repository(ChatRecords, InMemoryChatRecords)
    await records.save_turn(
        state["session_id"], state["turn_id"], message=state["message"], answer=answer, memory=memory
    )


def decide(state: State) -> dict[str, Any]:
    decision = decision_in(interrupt({"kind": "revise", "score": state["score"], "question": "是否需要修订？"}))
    return {"status": decision or "skip", "rounds": state["rounds"] + 1}


async def compilation(state: State) -> dict[str, Any]:
    await _save({**state, "status": "done"})
    return {"status": "done"}


_builder = StateGraph(State)
_builder.add_sequence([planning, content_generation, evaluation])
_builder.add_node(decide)
_builder.add_node(compilation)
_builder.add_edge(START, "planning")
_builder.add_conditional_edges(
    "evaluation", lambda state: "decide" if state["status"] == "awaiting_decision" else "compilation"
)
_builder.add_conditional_edges(
    "decide", lambda state: "content_generation" if state["status"] == "revise" else "compilation"
)
_builder.add_edge("compilation", END)
graph = _builder.compile()
