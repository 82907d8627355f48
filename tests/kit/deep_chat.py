"""Deep chat answered by scripts: a graph on a saver, with documents and records in memory, and what it told."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import httpx
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Interrupt

from core.roles import Role
from graphs.meta_workflow import build
from nodes.common.resources import Resources, bind
from nodes.meta_workflow.records import ChatRecords, Documents, InMemoryChatRecords, InMemoryDocuments
from tests.kit.fake_models import Breaks, RoleModels, Script

SESSION: Final = "550e8400-e29b-41d4-a716-446655440000"
THREAD: Final[RunnableConfig] = {"configurable": {"thread_id": "t"}}
OUTPUT: Final = ["response", "thinking_process", "content_sections", "intent", "memory", "status"]
DOWN: Final = Breaks(httpx.HTTPStatusError("", request=httpx.Request("POST", "http://x"), response=httpx.Response(400)))
# Six hundred characters: what a plan with one section asks for.
TEXT: Final = "降噪耳机让科技为年轻人挡住嘈杂。" * 40
EVALUATION: Final = "- 综合分：8/10\n- 质量评估：切题，可直接使用。\n- 修改要点：无"
WEAK: Final = "- 综合分：5/10\n- 质量评估：太空泛。\n- 修改要点：补充具体的促销日期"
NARRATIVE: Final = {"thinking_narrative": "我先理解了需求，再安排正文。", "suggestion": "可以再写一版海报文案。"}


def a_plan(*sections: Mapping[str, Any], **more: Any) -> str:
    """Return a plan's JSON; without sections it has one of 640 characters."""
    one = {"id": "s1", "title": "", "focus": "写一篇推广文案", "characters": 640, "depends_on": []}
    plan = {
        "goal": "推广降噪耳机",
        "brand": "",
        "product": "降噪耳机",
        "steps": [],
        "sections": list(sections) or [one],
    }
    return json.dumps(plan | more, ensure_ascii=False)


def scripts(**changed: Script | Sequence[Script]) -> dict[Role, Script | Sequence[Script]]:
    """Return a script for each role of a turn that succeeds, some of them changed."""
    usual: dict[str, Script | Sequence[Script]] = {
        "intent": '{"intent": "free_discussion", "understanding": "推广降噪耳机"}',
        "planning": a_plan(),
        "analysis": "目标用户是年轻的上班族，他们在意通勤和办公室里的噪声，也在意价格。",
        "content_generation": TEXT,
        "evaluation": EVALUATION,
        "narrative": json.dumps(NARRATIVE, ensure_ascii=False),
        "fast": "你好！有什么可以帮你？",
    }
    return cast("dict[Role, Script | Sequence[Script]]", usual | changed)


class DeepChat:
    """One thread of deep chat."""

    def __init__(
        self, documents: Sequence[tuple[str, str]] = (), max_attempts: int = 1, **changed: Script | Sequence[Script]
    ) -> None:
        self.saver = InMemorySaver()
        self.documents = InMemoryDocuments({SESSION: documents})
        self.records = InMemoryChatRecords()
        self.events: list[dict[str, Any]] = []
        self.rescript(max_attempts, **changed)
        self.restart()

    def restart(self) -> None:
        """Go on with a new graph on the same saver, as another process would."""
        self.graph = build().compile(checkpointer=self.saver)

    def rescript(self, max_attempts: int = 1, **changed: Script | Sequence[Script]) -> None:
        """Answer with other scripts from now on, and count anew."""
        self.models = RoleModels(scripts(**changed), max_attempts)

    async def turn(self, message: str = "我想推广一款新的降噪耳机", **given: Any) -> dict[str, Any]:
        """Run a turn and return its output; `events` has what it told."""
        usual = {"message": message, "tags": ["科技", "年轻人"], "session_id": SESSION, "memory": {}, "turns": []}
        return await self.go_on(usual | given)

    async def decide(self, answer: object) -> dict[str, Any]:
        """Answer the interrupt."""
        return await self.go_on(Command(resume=answer))

    async def go_on(self, given: Any = None) -> dict[str, Any]:
        """Run from where the thread stands."""
        self.events = []
        output: dict[str, Any] = {}
        kinds: list[Any] = ["custom", "values"]
        bound: dict[type, object] = {Documents: self.documents, ChatRecords: self.records}
        with bind(Resources(models=self.models, repositories=bound)):
            async for kind, data in self.graph.astream(given, THREAD, stream_mode=kinds, output_keys=OUTPUT):
                if kind == "custom":
                    self.events.append(cast("dict[str, Any]", data))
                else:
                    output = cast("dict[str, Any]", data)
        return output

    async def interrupts(self) -> list[Interrupt]:
        """Return what the thread waits for."""
        return list((await self.graph.aget_state(THREAD)).interrupts)

    async def values(self) -> dict[str, Any]:
        """Return the thread's state."""
        return dict((await self.graph.aget_state(THREAD)).values)

    def asked(self, role: Role, number: int = -1) -> str:
        """Return the data that a role's model was shown."""
        return words(self.models.requests(role)[number])

    def told(self) -> str:
        """Read the sections' deltas as a client does: in the order of their ids."""
        sections: dict[str, str] = {}
        for event in self.events:
            if event["type"] == "reset":
                sections.pop(event["section"], None)
            elif event["type"] == "delta":
                sections[event["section"]] = sections.get(event["section"], "") + event["text"]
        return "\n\n".join(sections[name] for name in sorted(sections))

    def thinking_told(self) -> list[dict[str, Any]]:
        """Read the phases as a client does: the last one told of each place."""
        items: dict[int, dict[str, Any]] = {}
        for event in self.events:
            if event["type"] == "phase":
                items[event["index"]] = {"phase": event["phase"], "content": event["content"]}
        return [items[index] for index in sorted(items)]


def words(request: Sequence[BaseMessage]) -> str:
    """Return the first human message of a request."""
    return str(next(message for message in request if message.type == "human").text)


def phases(output: Mapping[str, Any]) -> list[str]:
    """Return the phases of an answer's thinking process."""
    return [item["phase"] for item in output["thinking_process"]]


def outside(shown: str) -> str:
    """Return what of a human message stands between no data tags."""
    left: list[str] = []
    inside = ""
    for line in shown.splitlines():
        if not inside and line.startswith("<") and line.endswith(">"):
            inside = line[1:-1]
        elif inside and line == f"</{inside}>":
            inside = ""
        elif not inside:
            left.append(line)
    assert not inside
    return "\n".join(left)
