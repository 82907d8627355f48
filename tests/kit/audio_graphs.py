"""Small stand-ins for the audio workflows: they ask models by their roles, and write what the real ones do."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
from langchain_core.messages import HumanMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from core.roles import Role
from nodes.audio_analysis.records import Analysis, AudioRecords, InMemoryAudioRecords
from nodes.audio_strategy.records import (
    Advice,
    InMemoryStrategyRecords,
    Strategy,
    StrategyRecords,
    Visual,
)
from nodes.common.attempts import ask
from nodes.common.resources import resources
from nodes.common.storage import storage
from tools.transcripts.model import Segment

PNG = b"\x89PNG\r\n\x1a\n and so on"
ADVICE = Advice(title="先说结论", insight="对方很急", advice="先回应时间", script="我明天给您", quotes=[], skills=["a"])


class Heard(TypedDict, total=False):
    session_id: str
    dialogues: list[Segment]
    summary: str
    duration: float


class Coached(TypedDict, total=False):
    session_id: str
    strategy_id: str
    scene_category: str
    scene_confidence: float


def _recordings() -> AudioRecords:
    return resources().repository(AudioRecords, InMemoryAudioRecords)


def _coaching() -> StrategyRecords:
    return resources().repository(StrategyRecords, InMemoryStrategyRecords)


async def _asked(role: Role, text: object) -> str:
    return (await ask(role, [HumanMessage(str(text))])).text


async def transcribe(state: Heard) -> dict[str, Any]:
    """The recording's own transcript, or what the model heard: `speaker|start|end|text` a line."""
    recording = await _recordings().recording(state["session_id"])
    async with storage().file(recording["key"]):
        pass
    dialogues = recording["transcript"]
    if not dialogues:
        lines = [line.split("|") for line in (await _asked("transcribe", recording["size"])).splitlines()]
        dialogues = [Segment(speaker=a, start=float(b), end=float(c), text=d) for a, b, c, d in lines]
    await _recordings().finished(state["session_id"], "transcribe", 2)
    return {"dialogues": dialogues, "duration": recording["duration"]}


async def review(state: Heard) -> dict[str, Any]:
    summary = await _asked("review", state["dialogues"])
    await _recordings().save_analysis(
        state["session_id"],
        Analysis(
            dialogues=state["dialogues"],
            transcript="\n".join(f"{one['speaker']}: {one['text']}" for one in state["dialogues"]),
            speaker_mapping={"Speaker_0": "上级"},
            summary=summary,
            conversation_summary="催进度",
            risks=[{"level": "low", "text": "语气急", "quote": "快点", "start": 0.5}],
            mood_score=40.0,
            tags=["工作"],
            stats={"turns": len(state["dialogues"])},
            call1_result={"raw": True},
        ),
    )
    await _recordings().finished(state["session_id"], "review", 2)
    return {"summary": summary}


async def scene(state: Coached) -> dict[str, Any]:
    analysed = await _coaching().analysed(state["session_id"])
    found = orjson.loads(await _asked("scene", analysed["dialogues"]))
    if state.get("strategy_id"):
        await _coaching().finished(state["session_id"], "scene", 3)
        get_stream_writer()({"type": "step", "step": "scene"})
    return {"scene_category": found["scene_category"], "scene_confidence": float(found["scene_confidence"])}


async def coach(state: Coached) -> dict[str, Any]:
    text = await _asked("strategy", state["scene_category"])
    strategy = Strategy(
        scene_category=state["scene_category"],
        scene_confidence=state["scene_confidence"],
        applied_skills=["a"],
        strategies=[{**ADVICE, "advice": text}],
        visual_data=[Visual(image_index=0, prompt="办公室", status="pending", image_url=None)],
    )
    await _coaching().save_strategy(state["session_id"], state["strategy_id"], strategy)
    await _coaching().finished(state["session_id"], "coach", 3)
    return {}


async def draw(state: Coached) -> dict[str, Any]:
    await _asked("fuse", "办公室")

    async def content() -> AsyncIterator[bytes]:
        yield PNG

    stored = await storage().put("pictures", "png", content(), most_bytes=1000)
    await _coaching().save_visual(
        state["session_id"],
        state["strategy_id"],
        Visual(
            image_index=0,
            prompt="办公室",
            status="completed",
            image_url=f"/api/v1/images/{state['session_id']}/0",
            key=stored.key,
        ),
    )
    await _coaching().finished(state["session_id"], "draw", 3)
    return {}


def _line(state: type, *steps: Any) -> Any:
    graph: StateGraph[Any] = StateGraph(state)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        graph.add_node(step.__name__, step)
        graph.add_edge(step.__name__, following.__name__ if following else END)
    graph.add_edge(START, steps[0].__name__)
    return graph.compile()


analysis = _line(Heard, transcribe, review)
strategy = _line(Coached, scene, coach, draw)
scene_alone = _line(Coached, scene)
