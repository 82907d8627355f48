"""An analysed recording with the strategy graphs, skills, a painter and a scripted model for each role."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph
from PIL import Image

from core.clock import SystemClock
from core.roles import Role
from nodes.audio_strategy.records import (
    AnalysedSession,
    InMemoryStrategyRecords,
    SkillExecution,
    SkillShelf,
    StrategyRecords,
    Visual,
)
from nodes.common.resources import Resources, bind
from providers.images.model import Cards, Painter
from skills.document import Skill, SkillError
from tests.kit.fake_models import RoleModels, Script
from tests.skills.making import skill
from tools.storage.local import LocalStorage
from tools.storage.model import Storage
from tools.storage.signing import Signer
from tools.transcripts.model import Segment

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}
ONE_ID, TWO_ID = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
GIVEN = {"session_id": "s", "strategy_id": ONE_ID}
SCENE = '{"scene_category": "workplace", "scene_confidence": "92%"}'


def said(*turns: tuple[str, str]) -> list[Segment]:
    """Return dialogues of a turn every ten seconds."""
    return [
        Segment(speaker=speaker, start=10.0 * place, end=10.0 * place + 5, text=text)
        for place, (speaker, text) in enumerate(turns)
    ]


DIALOGUES = said(
    ("李经理", "新版本怎么样了，周五能上吗？"), ("小何", "差不多了，可能要延期两三天。"), ("李经理", "怎么现在才说？")
)


def session(dialogues: Sequence[Segment] = DIALOGUES, **mapping: str) -> AnalysedSession:
    return AnalysedSession(dialogues=list(dialogues), speaker_mapping=mapping, summary="谈进度", duration=30.0)


def advice(title: str, **changes: Any) -> dict[str, Any]:
    """Return a piece of advice as a model gives it, unlike those of other titles."""
    return {
        "title": title,
        "insight": f"{title}的由来",
        "advice": f"{title}。" + title * 3,
        "script": "",
        "quotes": ["周五能上吗？"],
        "picture": f"{title}的画面",
        **changes,
    }


def answered(*advices: dict[str, Any]) -> str:
    return json.dumps({"advices": list(advices)}, ensure_ascii=False)


def by_skill(answers: Mapping[str, Script]) -> Script:
    """Return a script that answers by the skill in the rules: bodies of ours name their skill."""

    def choose(request: Sequence[BaseMessage]) -> Any:
        found = next(answer for name, answer in answers.items() if f"# {name}" in str(request[0].text))
        return found(request) if callable(found) else found

    return choose


FUSED = answered(advice("先说结论", skills=["workplace-a"]), advice("给出选择", skills=["workplace-b", "workplace-a"]))
TITLES = {"workplace-a": "结论在前", "workplace-b": "选择由他", "workplace-c": "约定日期"}
GOOD: dict[Role, Script | Sequence[Script]] = {
    "scene": SCENE,
    "strategy": by_skill({name: answered(advice(title)) for name, title in TITLES.items()}),
    "fuse": FUSED,
}


def ours(skill_id: str, priority: int, **changes: Any) -> Skill:
    return skill(skill_id, body=f"# {skill_id}\n\n先听，再说。", priority=priority, **changes)


TWO = [ours("workplace-a", 10), ours("workplace-b", 5), ours("workplace-c", 1, enabled=False)]
THREE = [ours("workplace-a", 10), ours("workplace-b", 5), ours("workplace-c", 1)]
ONE = [ours("workplace-a", 10)]


class Shelf:
    """Skills as they are given; `fails` says how often reading them fails first."""

    def __init__(self, held: Sequence[Skill], references: Mapping[str, str] | None = None, fails: int = 0) -> None:
        self.held = list(held)
        self.references = dict(references or {})
        self.fails = fails

    async def skills(self) -> list[Skill]:
        if self.fails:
            self.fails -= 1
            raise OSError("scripted")
        return self.held

    async def reference(self, skill: Skill, reference: str) -> str:
        if reference not in self.references:
            raise SkillError("gone")
        return self.references[reference]


class Brushes:
    """Paints a grey circle, or what `instead` has for a title in the description."""

    def __init__(self, instead: Mapping[str, bytes | Exception] | None = None) -> None:
        self.instead = dict(instead or {})
        self.descriptions: list[str] = []

    async def paint(self, description: str) -> bytes:
        self.descriptions.append(description)
        made = next((made for title, made in self.instead.items() if title in description), png())
        if isinstance(made, Exception):
            raise made
        return made


def png() -> bytes:
    output = io.BytesIO()
    Image.radial_gradient("L").save(output, "PNG")
    return output.getvalue()


class Setting:
    """One graph on one thread, on one recording."""

    def __init__(
        self,
        builder: StateGraph[Any, Any, Any, Any],
        folder: Path,
        scripts: dict[Role, Script | Sequence[Script]] | None = None,
        *,
        skills: Sequence[Skill] = TWO,
        paints: Painter | Cards | None = None,
        recorded: AnalysedSession | None = None,
        records: InMemoryStrategyRecords | None = None,
    ) -> None:
        self.models = RoleModels({**GOOD, **(scripts or {})}, paints=paints)
        self.records = records or InMemoryStrategyRecords({"s": recorded or session()})
        self.shelf = Shelf(skills)
        self.storage = LocalStorage(folder, Signer(bytes(32), "/"), SystemClock())
        self.graph: CompiledStateGraph[Any, Any, Any, Any] = builder.compile(checkpointer=InMemorySaver())
        self.events: list[dict[str, Any]] = []

    async def run(self, given: dict[str, Any] | None = GIVEN) -> dict[str, Any]:
        """Run once; give the output, keep the custom events."""
        self.events = []
        output: dict[str, Any] = {}
        repositories: dict[type, object] = {
            StrategyRecords: self.records,
            SkillShelf: self.shelf,
            Storage: self.storage,
        }
        with bind(Resources(models=self.models, repositories=repositories)):
            modes: list[Any] = ["custom", "values"]
            keys = self.graph.output_channels
            async for mode, data in self.graph.astream(given, THREAD, stream_mode=modes, output_keys=keys):
                if mode == "custom":
                    self.events.append(cast("dict[str, Any]", data))
                else:
                    output = cast("dict[str, Any]", data)
        return output

    @property
    def executions(self) -> list[SkillExecution]:
        """What ran for the first strategy, by skill."""
        return [one for _key, one in sorted(self.records.executions.items())]

    @property
    def stored_visuals(self) -> list[Visual]:
        return self.records.strategies["s"][1]["visual_data"]
