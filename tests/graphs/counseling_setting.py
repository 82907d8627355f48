"""A counseling session with its graphs, a saver in memory and a scripted model for each role."""

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from core.roles import Role
from nodes.common.resources import Resources, bind
from nodes.counseling.records import (
    SLOTS,
    CounselingRecords,
    Homework,
    InMemoryCounselingRecords,
    Line,
    Memory,
    SessionContext,
    memory_from,
)
from nodes.counseling.visitors import TEMPLATES
from tests.kit.fake_models import RoleModels, Script

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}
SESSION = "s"
CHAT = [
    Line(speaker="user", content="这一周过得怎么样？"),
    Line(speaker="ai", content="就是……轮到我复述的时候，脑子一下子空了。"),
    Line(speaker="user", content="那一刻你脑子里闪过什么？"),
    Line(speaker="ai", content="我觉得他们都在笑我。"),
]
HELD = memory_from({slot: f"以前的{slot}：陈佳，两次缺课" for slot in SLOTS})
DIARY = "<diary>今天我说了口译课的事。</diary>"
ACTIVITY: dict[str, Any] = {"summary": "她去了一次食堂。", "days": [{"day": "周二", "intensity": 60}]}
ACTIVITY_ANSWER = '<activity>{"summary":"她去了一次食堂。","days":[{"day":"周二","intensity":60}]}</activity>'
NEW = memory_from({slot: f"新的{slot}" for slot in SLOTS})
GOOD: dict[Role, Script | Sequence[Script]] = {
    "diary": DIARY,
    "activity": ACTIVITY_ANSWER,
    "ltm": "",  # replaced below, where `tagged` is known
    "reply": "就是……我也说不清，反正很怕。",
}


def tagged(memory: Memory, *, without: Sequence[str] = (), blank: Sequence[str] = ()) -> str:
    """Write a memory as a model does, some slots missing and some empty."""
    texts = cast("dict[str, str]", memory)
    slots = [f"<{slot}>{'' if slot in blank else texts[slot]}</{slot}>" for slot in SLOTS if slot not in without]
    return "<longterm_memory>\n" + "\n".join(slots) + "\n</longterm_memory>"


GOOD["ltm"] = tagged(NEW)


def session(**changes: Any) -> SessionContext:
    """Return the third session of the first visitor."""
    context = SessionContext(
        session_number=3,
        chat=list(CHAT),
        persona=TEMPLATES[0].core_persona,
        visitor_name=TEMPLATES[0].name,
        memory=HELD,
        last_activity={"summary": "上一周她又装病了。"},
        last_diary="<diary>上一次的日记</diary>",
        homework=[Homework(title="记录脸红的程度", status="assigned")],
    )
    return cast("SessionContext", {**context, **changes})


class Setting:
    """One graph on one thread, on one session."""

    def __init__(
        self,
        builder: StateGraph[Any, Any, Any, Any],
        scripts: dict[Role, Script | Sequence[Script]] | None = None,
        context: SessionContext | None = None,
        records: InMemoryCounselingRecords | None = None,
    ) -> None:
        self.models = RoleModels({**GOOD, **(scripts or {})})
        self.records = records or InMemoryCounselingRecords({SESSION: context or session()})
        self.graph: CompiledStateGraph[Any, Any, Any, Any] = builder.compile(checkpointer=InMemorySaver())
        self.events: list[dict[str, Any]] = []

    def script(self, scripts: dict[Role, Script | Sequence[Script]]) -> None:
        """Begin with other models, which were asked nothing yet."""
        self.models = RoleModels({**GOOD, **scripts})

    async def run(self, given: dict[str, Any] | None, thread: RunnableConfig = THREAD) -> dict[str, Any]:
        """Run once; give the output, keep the custom events."""
        self.events = []
        output: dict[str, Any] = {}
        with bind(Resources(models=self.models, repositories={CounselingRecords: self.records})):
            keys = self.graph.output_channels
            modes: list[Any] = ["custom", "values"]
            async for mode, data in self.graph.astream(given, thread, stream_mode=modes, output_keys=keys):
                if mode == "custom":
                    self.events.append(cast("dict[str, Any]", data))
                else:
                    output = cast("dict[str, Any]", data)
        return output

    async def next(self) -> tuple[str, ...]:
        return (await self.graph.aget_state(THREAD)).next


def words_of(request: Sequence[BaseMessage]) -> tuple[str, str]:
    """Return the system message's text, and that of the newest message."""
    assert [message.type for message in request[:2]] == ["system", "human"]
    return str(request[0].text), str(request[-1].text)


def inside(tag: str, text: str) -> str:
    """Return what stands in a tag, which is there exactly once."""
    assert text.count(f"<{tag}>\n") == text.count(f"\n</{tag}>") == 1
    return text.split(f"<{tag}>\n")[1].split(f"\n</{tag}>", maxsplit=1)[0]


def told(events: list[dict[str, Any]]) -> str:
    """Read the deltas as a client does."""
    text = ""
    for event in events:
        text = "" if event["type"] == "reset" else text + event["text"]
    return text
