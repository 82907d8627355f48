"""What the strategy workflow reads and writes outside of its state (A026–A027, A048, A050, G03, G07–G11)."""

import asyncio
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Literal, NotRequired, Protocol

from typing_extensions import TypedDict

from core.errors import NotFound
from skills.catalog import SKILLS, load_all, read_reference
from skills.document import Skill
from tools.transcripts.model import Segment


class AnalysedSession(TypedDict):
    """An analysed recording as the strategy workflow sees it; `duration` in seconds."""

    dialogues: list[Segment]
    speaker_mapping: dict[str, str]
    summary: str
    duration: float


class Advice(TypedDict):
    """One piece of a strategy.

    Attributes:
        title: a few words.
        insight: what happens in the conversation, and where it shows.
        advice: what to do.
        script: words that can be said as they stand; may be empty.
        quotes: words of the conversation that it rests on.
        skills: ids of the skills that it comes from (attribution, G03).
    """

    title: str
    insight: str
    advice: str
    script: str
    quotes: list[str]
    skills: list[str]


class Visual(TypedDict):
    """A picture of a strategy (G11); `image_url` only when it is there, `key` is its place in storage."""

    image_index: int
    prompt: str
    status: Literal["pending", "completed", "failed", "deleted"]
    image_url: str | None
    key: NotRequired[str]


class Strategy(TypedDict):
    """A whole strategy (A048); `applied_skills` are ids in the order of their priority (A055)."""

    scene_category: str
    scene_confidence: float
    applied_skills: list[str]
    strategies: list[Advice]
    visual_data: list[Visual]


class SkillExecution(TypedDict):
    """One run of one skill (A050, A054)."""

    skill_id: str
    scene_category: str
    confidence_score: float
    execution_time_ms: int
    success: bool
    error_message: str | None


class StrategyRecords(Protocol):
    """The analysed recordings of one user. Each write may come twice, after a crash, and then leaves the same."""

    async def analysed(self, session_id: str) -> AnalysedSession:
        """Return an analysed recording.

        Raises:
            NotFound: there is no such session of this user.
            Conflict: its analysis is not completed (G08).
        """
        ...

    async def finished(self, session_id: str, step: str, steps: int) -> None:
        """Note that a step of `steps` in all is done; progress is the share of different steps (G06)."""
        ...

    async def save_execution(self, session_id: str, strategy_id: str, execution: SkillExecution) -> None:
        """Store that a skill ran, once for each strategy and skill; a later time takes the place of an earlier one.

        A run that is resumed after a skill failed runs it again.
        """
        ...

    async def save_strategy(self, session_id: str, strategy_id: str, strategy: Strategy) -> None:
        """Store the strategy in place of an earlier one of the session; the same one again keeps its pictures."""
        ...

    async def visual(self, session_id: str, strategy_id: str, image_index: int) -> Visual | None:
        """Return what became of one picture, with its key; None where it is not stored, or with another strategy."""
        ...

    async def save_visual(self, session_id: str, strategy_id: str, visual: Visual) -> None:
        """Store what became of one picture, if the session still has this strategy."""
        ...


class SkillShelf(Protocol):
    """The skills as they are now: files with what was changed since (G04)."""

    async def skills(self) -> list[Skill]:
        """Return all skills, switched off ones too."""
        ...

    async def reference(self, skill: Skill, reference: str) -> str:
        """Return one of the files that a skill's prompt names.

        Raises:
            SkillError: it is none of them, or is no longer there.
        """
        ...


class DirectoryShelf:
    """The skills of a directory as their files say."""

    def __init__(self, directory: Path = SKILLS) -> None:
        self._directory = directory

    async def skills(self) -> list[Skill]:
        """Return all skills of the directory; broken ones are left out."""
        loaded = await asyncio.to_thread(load_all, self._directory)
        return list(loaded.skills.values())

    async def reference(self, skill: Skill, reference: str) -> str:
        """Return one of the files that a skill's prompt names."""
        return await asyncio.to_thread(read_reference, self._directory, skill, reference)


class InMemoryStrategyRecords:
    """Analysed recordings in this process: for Studio, evaluations and tests."""

    def __init__(self, sessions: Mapping[str, AnalysedSession] | None = None) -> None:
        self._sessions = {session_id: deepcopy(one) for session_id, one in (sessions or {}).items()}
        self.steps: dict[str, list[str]] = {}
        self.totals: dict[str, int] = {}
        self.executions: dict[tuple[str, str, str], SkillExecution] = {}
        self.strategies: dict[str, tuple[str, Strategy]] = {}

    async def analysed(self, session_id: str) -> AnalysedSession:
        """Return an analysed recording.

        Raises:
            NotFound: there is no such session.
        """
        if session_id not in self._sessions:
            raise NotFound("录音不存在")
        return deepcopy(self._sessions[session_id])

    async def finished(self, session_id: str, step: str, steps: int) -> None:
        """Keep the step's name, and how many there are."""
        self.totals[session_id] = steps
        done = self.steps.setdefault(session_id, [])
        if step not in done:
            done.append(step)

    async def save_execution(self, session_id: str, strategy_id: str, execution: SkillExecution) -> None:
        """Keep that a skill ran, and how it ended the last time."""
        self.executions[session_id, strategy_id, execution["skill_id"]] = deepcopy(execution)

    async def save_strategy(self, session_id: str, strategy_id: str, strategy: Strategy) -> None:
        """Keep the strategy."""
        await self.analysed(session_id)
        kept, before = self.strategies.get(session_id, ("", None))
        new = deepcopy(strategy)
        if before is not None and kept == strategy_id:
            new["visual_data"] = before["visual_data"]
        self.strategies[session_id] = (strategy_id, new)

    async def visual(self, session_id: str, strategy_id: str, image_index: int) -> Visual | None:
        """Return what became of a picture."""
        kept, strategy = self.strategies.get(session_id, ("", None))
        if strategy is None or kept != strategy_id:
            return None
        return next((deepcopy(one) for one in strategy["visual_data"] if one["image_index"] == image_index), None)

    async def save_visual(self, session_id: str, strategy_id: str, visual: Visual) -> None:
        """Keep what became of a picture."""
        kept, strategy = self.strategies.get(session_id, ("", None))
        if strategy is not None and kept == strategy_id:
            others = [one for one in strategy["visual_data"] if one["image_index"] != visual["image_index"]]
            strategy["visual_data"] = sorted([*others, deepcopy(visual)], key=lambda one: one["image_index"])
