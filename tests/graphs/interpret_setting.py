"""A compiled interpret_execute with a saver in memory, a fake hub and scripted models."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from graphs.interpret_execute import build
from nodes.common.resources import Resources, bind
from nodes.interpret_execute.records import (
    InMemoryInterpretRecords,
    InMemoryToolJournal,
    InterpretRecords,
    ToolJournal,
)
from tests.kit.fake_hub import FakeHub, text
from tests.kit.fake_models import FakeModels, Script, ScriptedModel
from tools.mcp.model import ToolResult
from tools.mcp.policy import ToolPolicy

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}
INTEGER = {"type": "integer"}
APPROVE = {"decisions": [{"type": "approve"}]}
REJECT = {"decisions": [{"type": "reject"}]}


def step(name: str, tool: str, arguments: Mapping[str, Any], after: Sequence[str] = ()) -> dict[str, Any]:
    return {"id": name, "tool": tool, "arguments": dict(arguments), "after": list(after)}


def act(*steps: dict[str, Any], text: str = "确认吗？") -> str:
    return json.dumps({"kind": "act", "steps": list(steps), "text": text}, ensure_ascii=False)


def clarify(text: str) -> str:
    return json.dumps({"kind": "clarify", "steps": [], "text": text}, ensure_ascii=False)


def edit(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
    return {"decisions": [{"type": "edit", "edited_action": {"name": name, "args": dict(args)}}]}


ADD_2_3 = act(step("s1", "add", {"a": 2, "b": 3}), text="计算 2 + 3，确认吗？")


def hub() -> FakeHub:
    """Tools: `add` (read-only), `append` and `wipe` (destructive); what they were called with is noted."""
    made = FakeHub()
    made.add(
        "add",
        lambda given, _answers: ToolResult(structured={"result": given["a"] + given["b"]}),
        {"a": INTEGER, "b": INTEGER},
        read_only=True,
    )
    made.add("append", lambda given, _answers: text(given["text"]), {"text": {"type": "string"}}, destructive=False)
    made.add("wipe", lambda _given, _answers: text("wiped"), {"path": {"type": "string"}})
    return made


class Setting:
    """One thread of the workflow; `restart` forgets what a process knows, and keeps what it has stored."""

    def __init__(self, *script: Script, policy: ToolPolicy | None = None) -> None:
        self.model = ScriptedModel(*script)
        self.models = FakeModels(self.model, max_attempts=2)
        self.hub = hub()
        self.records = InMemoryInterpretRecords()
        self.journal = InMemoryToolJournal()
        self.saver = InMemorySaver()
        self.policy = policy or ToolPolicy()
        self.graph: CompiledStateGraph[Any, Any, Any, Any] = build().compile(checkpointer=self.saver)

    def restart(self) -> None:
        self.graph = build().compile(checkpointer=self.saver)

    async def run(self, given: Any, place: RunnableConfig = THREAD) -> dict[str, Any]:
        bound = Resources(
            models=self.models,
            tools=self.hub,
            tool_policy=self.policy,
            repositories={InterpretRecords: self.records, ToolJournal: self.journal},
        )
        with bind(bound):
            return dict(await self.graph.ainvoke(given, place))

    async def say(self, words: str) -> dict[str, Any]:
        return await self.run({"text": words})

    async def answer(self, answer: Any, interrupt_id: str | None = None) -> dict[str, Any]:
        return await self.run(Command(resume={interrupt_id: answer} if interrupt_id else answer))

    async def run_from(self, place: RunnableConfig, answer: Any) -> dict[str, Any]:
        """Answer what an earlier checkpoint waits for."""
        await self.run(None, place)
        return await self.answer(answer)

    async def pending(self) -> list[dict[str, Any]]:
        """The values of what the thread waits for."""
        snapshot = await self.graph.aget_state(THREAD)
        return [interrupt.value for interrupt in snapshot.interrupts]

    async def pending_ids(self) -> dict[str, str]:
        """The ids of what the thread waits for, by the step that it is about."""
        snapshot = await self.graph.aget_state(THREAD)
        return {interrupt.value["step"]: interrupt.id for interrupt in snapshot.interrupts}

    @property
    def log(self) -> list[tuple[str, str, str | None]]:
        return [(noted.step, noted.outcome, noted.status) for noted in self.records.steps.values()]

    def question(self, number: int = -1) -> str:
        return str(self.model.requests[number][-1].text)
