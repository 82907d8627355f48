"""Recordings and models for the analysis of recordings."""

import asyncio
import json
import math
import wave
from array import array
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph

from core.clock import SystemClock
from core.roles import Role
from graphs.audio_analysis import build
from nodes.audio_analysis.records import AudioRecords, InMemoryAudioRecords, Recording
from nodes.common.resources import Resources, bind
from tests.kit.fake_models import FakeAudio, Reply, RoleModels, Script
from tools.audio.worker import AudioTools
from tools.storage.local import LocalStorage
from tools.storage.model import Storage, Stored
from tools.storage.signing import Signer
from tools.transcripts import read as transcripts
from tools.transcripts.model import Segment

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio" / "recordings"
THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}
SESSION = "s"
MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "m4a": "audio/mp4", "ogg": "audio/ogg"}
REVIEW = json.dumps(
    {
        "summary": "妈妈问小慧几号回家，小慧说初二才能走。",
        "conversation_summary": "母女商量过年回家",
        "mood_score": "72/100",
        "risks": [{"level": "HIGH", "text": "担心独自在外", "quote": "你一个人在外面，我不放心"}],
        "speakers": {"Speaker_0": "母亲", "Speaker_1": "女儿", "Speaker_9": "邻居"},
        "tags": ["过年", "家庭"],
    },
    ensure_ascii=False,
)


def heard(*said: tuple[str, float, float, str]) -> str:
    """Return an answer of the model that hears."""
    entries = [{"speaker": who, "start": start, "end": end, "text": text} for who, start, end, text in said]
    return json.dumps({"segments": entries}, ensure_ascii=False)


def transcript_of(name: str) -> list[Segment]:
    return transcripts.read((EXAMPLES / f"{name}.vtt").read_bytes())


def spoken_in(name: str) -> str:
    """Return an example's transcript as a model would answer it, with names of its own."""
    names: dict[str, str] = {}
    return heard(
        *(
            (names.setdefault(one["speaker"], f"Speaker_{len(names)}"), one["start"], one["end"], one["text"])
            for one in transcript_of(name)
        )
    )


def long_wav(path: Path, seconds: float, rate: int = 4000) -> Path:
    """Write a quiet tone of that length."""
    second = array("h", (int(300 * math.sin(math.tau * 220 * n / rate)) for n in range(rate))).tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        for _ in range(int(seconds)):
            file.writeframesraw(second)
    return path


def question(request: Sequence[BaseMessage]) -> str:
    """Return the words of the newest message, without sound."""
    return str(request[-1].text)


def in_parts(*answers: str) -> Callable[[Sequence[BaseMessage]], Reply]:
    """Answer each part by its number."""

    def answer(request: Sequence[BaseMessage]) -> Reply:
        asked = str(request[1].text)
        return next(text for number, text in enumerate(answers, 1) if f"第 {number} 段" in asked)

    return answer


class Setting:
    """The graph with a saver in memory, storage in a directory, and scripted models."""

    def __init__(self, folder: Path, transcribe: Script | Sequence[Script] = "", review: Script = REVIEW) -> None:
        self.storage = LocalStorage(folder / "storage", Signer(bytes(32), "/"), SystemClock())
        self.records = InMemoryAudioRecords()
        self.audio: FakeAudio | None = FakeAudio()
        self.tools = AudioTools()
        self.graph: CompiledStateGraph[Any, Any, Any, Any] = build().compile(checkpointer=InMemorySaver())
        self.rescript(transcribe=transcribe, review=review)

    def rescript(self, attempts: int = 1, **scripts: Script | Sequence[Script]) -> None:
        self.models = RoleModels(cast("dict[Role, Any]", scripts), attempts, self.audio)

    async def keep(self, path: Path, transcript: Sequence[Segment] = (), duration: float | None = None) -> Stored:
        """Store a recording as an upload does."""

        async def content() -> AsyncIterator[bytes]:
            yield await asyncio.to_thread(path.read_bytes)

        stored = await self.storage.put("recordings", path.suffix[1:], content(), most_bytes=10**9)
        info = await self.tools.probe(path)
        recording = Recording(
            key=stored.key,
            media_type=MEDIA_TYPES[path.suffix[1:]],
            size=stored.size,
            duration=info.duration if duration is None else duration,
            transcript=list(transcript),
        )
        self.records = InMemoryAudioRecords({SESSION: recording})
        return stored

    def resources(self) -> Resources:
        bound: dict[type, object] = {AudioRecords: self.records, Storage: self.storage, AudioTools: self.tools}
        return Resources(models=self.models, repositories=bound)

    async def run(self, given: dict[str, Any] | None) -> dict[str, Any]:
        with bind(self.resources()):
            return cast("dict[str, Any]", await self.graph.ainvoke(given, THREAD))

    async def analysed(self) -> dict[str, Any]:
        await self.run({"session_id": SESSION})
        return cast("dict[str, Any]", self.records.analyses[SESSION])
