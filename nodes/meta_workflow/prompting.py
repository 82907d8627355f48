"""The messages for the models: rules in the system message, everything else as data in the user's (X029).

Prompts are files with their version in the first line; `VERSIONS` has them all.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from nodes.common.prompts import Prompt, as_data, load
from nodes.meta_workflow.citations import cite
from nodes.meta_workflow.facts import facts_about
from nodes.meta_workflow.records import DocumentOutline, Passage
from nodes.meta_workflow.state import Memory, MetaState, PastTurn, Plan, SectionTask, Turn

_PACKAGE: Final = "nodes.meta_workflow"
_VERSION: Final = re.compile(r"\Aversion: (\d+)\n+")
_NAMES: Final = (
    "system",
    "intent",
    "planning",
    "analysis",
    "content",
    "revision",
    "fix",
    "evaluation",
    "narrative",
    "quick",
)
TAGS: Final = (
    "message",
    "tags",
    "memory",
    "history",
    "documents",
    "plan",
    "section",
    "before",
    "passages",
    "analysis",
    "draft",
    "facts",
    "evaluation",
)
CLOSING: Final = "请按系统消息里的规则完成这一步。"
_PASSAGE_SHOWN: Final = 1200
_HISTORY_SHOWN: Final = 8
# Twenty turns, each a question and its answer (G36).
_QUICK_HISTORY_SHOWN: Final = 40
_TURN_SHOWN: Final = 1200
_LONGEST_SHOWN: Final = 4000


def _versioned(name: str) -> tuple[int, Prompt]:
    text = load(_PACKAGE, name).text
    found = _VERSION.match(text)
    if found is None:
        raise ValueError(f"prompts/{name}.md has no version in its first line")
    return int(found[1]), Prompt(text[found.end() :])


_PROMPTS: Final = {name: _versioned(name) for name in _NAMES}
VERSIONS: Final[Mapping[str, int]] = {name: version for name, (version, _prompt) in _PROMPTS.items()}


def about_intent(state: MetaState) -> list[BaseMessage]:
    """Ask what the message is."""
    return _asked("intent", _message(state["turn"]) | {"documents": _outline(state["outline"])})


def about_plan(state: MetaState) -> list[BaseMessage]:
    """Ask for the plan."""
    blocks = _message(state["turn"]) | _memory(state["memory"]) | {"documents": _outline(state["outline"])}
    return _asked("planning", blocks)


def about_analysis(state: MetaState) -> list[BaseMessage]:
    """Ask for the thinking before the writing."""
    return _asked("analysis", _message(state["turn"]) | _memory(state["memory"]) | _work(state))


def about_section(task: SectionTask) -> list[BaseMessage]:
    """Ask for one section."""
    section = {key: task["section"][key] for key in ("title", "focus", "characters")}
    blocks = _message(task["turn"]) | _memory(task["memory"])
    blocks |= {
        "plan": _plan(task["plan"]),
        "section": _json(section),
        "before": "\n\n".join(task["before"]),
        "passages": _passages(task["passages"]),
        "analysis": task["analysis"],
    }
    return _asked("content", blocks)


def about_revision(state: MetaState) -> list[BaseMessage]:
    """Ask for the whole text anew, with the evaluation's points."""
    return _asked("revision", _message(state["turn"]) | _memory(state["memory"]) | _work(state) | _judged(state))


def about_evaluation(state: MetaState) -> list[BaseMessage]:
    """Ask for a judgement of the text; a former one is not shown, so that it cannot be repeated."""
    return _asked("evaluation", _message(state["turn"]) | _work(state) | _judged({**state, "evaluation": None}))


def about_narrative(state: MetaState) -> list[BaseMessage]:
    """Ask for the story of the turn and what could be next."""
    work = _work(state) | {"analysis": state["analysis"], "draft": state["output"]}
    return _asked("narrative", _message(state["turn"]) | work)


def about_quick(message: str, memory: Memory, turns: Sequence[PastTurn]) -> list[BaseMessage]:
    """Ask for a short reply (D015)."""
    blocks = {"message": message} | _memory(memory) | {"history": _history(turns, _QUICK_HISTORY_SHOWN)}
    return [SystemMessage(_PROMPTS["quick"][1].text), HumanMessage(_data(blocks))]


def about_answer(asked: Sequence[BaseMessage], answer: str, wrong: Sequence[str]) -> list[BaseMessage]:
    """Ask again: the model sees what it was asked, what it answered, and what is wrong with that."""
    # Vendors refuse an empty turn of the model.
    given = [AIMessage(answer[:_LONGEST_SHOWN])] if answer.strip() else []
    return [*asked, *given, HumanMessage(_PROMPTS["fix"][1].render(wrong="；".join(wrong)))]


def _asked(step: str, blocks: Mapping[str, str]) -> list[BaseMessage]:
    rules = f"{_PROMPTS['system'][1].text}\n\n{_PROMPTS[step][1].text}"
    return [SystemMessage(rules), HumanMessage(f"{_data(blocks)}\n\n{CLOSING}")]


def _data(blocks: Mapping[str, str]) -> str:
    return "\n\n".join(as_data(tag, text, among=TAGS) for tag, text in blocks.items() if text.strip())


def _message(turn: Turn) -> dict[str, str]:
    return {"message": turn["message"], "tags": "、".join(turn["tags"]), "history": _history(turn["turns"])}


def _history(turns: Sequence[PastTurn], most: int = _HISTORY_SHOWN) -> str:
    names = {"user": "用户", "assistant": "助手"}
    return "\n".join(f"{names[turn['role']]}：{turn['content'][:_TURN_SHOWN]}" for turn in turns[-most:])


def _memory(memory: Memory) -> dict[str, str]:
    return {"memory": _json(memory) if any(memory.values()) else ""}


def _outline(outline: Sequence[DocumentOutline]) -> str:
    return "\n".join(
        _json({"filename": item["filename"], "characters": item["characters"], "beginning": item["beginning"]})
        for item in outline
    )


def _work(state: MetaState) -> dict[str, str]:
    return {"plan": _plan(state["plan"]), "passages": _passages(state["passages"]), "analysis": state["analysis"]}


def _judged(state: MetaState) -> dict[str, str]:
    evaluation = state["evaluation"]
    facts = facts_about(state["output"], state["turn"]["tags"], state["passages"])
    blocks = {"draft": state["output"], "facts": _json(facts)}
    return blocks | {"evaluation": evaluation["text"] if evaluation else ""}


def _plan(plan: Plan) -> str:
    sections = [{"title": section["title"], "focus": section["focus"]} for section in plan["sections"]]
    shown = {key: plan[key] for key in ("goal", "brand", "product", "focus")}
    return _json({**shown, "sections": sections})


def _passages(passages: Sequence[Passage]) -> str:
    return "\n\n".join(f"[{cite(passage)}]\n{passage['text'][:_PASSAGE_SHOWN]}" for passage in passages)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
