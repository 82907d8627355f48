"""Step 1: what the recording is, and in which parts it goes to the model."""

from collections.abc import Sequence
from typing import Any, Final

from langgraph.types import Send, StreamWriter

from core.errors import Unavailable
from nodes.audio_analysis.records import Recording
from nodes.audio_analysis.state import AnalysisInput, AnalysisState, PartTask, Stretch
from nodes.audio_analysis.steps import OTHER_STEPS, audio_records, finished
from nodes.common.resources import resources
from nodes.common.storage import storage
from providers.speech.model import AudioInput
from tools.audio.parts import OVERLAP_SECONDS, PART_SECONDS, RATE, plan
from tools.audio.samples import SAMPLE_BYTES
from tools.audio.worker import AudioTools

_WAV_HEADER: Final = 44


async def probe(state: AnalysisInput, *, writer: StreamWriter) -> dict[str, Any]:
    """Look at the recording, plan its parts, and begin all of the run's channels anew (X020).

    Raises:
        NotFound: there is no such session of this owner, or its recording is gone.
        Unavailable: no transcript was brought, and no model that can hear is configured (TRANSCRIBE_UNAVAILABLE).
        AudioRefused: the recording cannot be used.
    """
    session_id = state["session_id"]
    recording = await audio_records().recording(session_id)
    duration = recording["duration"] if recording["duration"] > 0 else await _measured(recording["key"])
    brought = bool(recording["transcript"])
    parts, as_it_is = ([], "") if brought else _planned(recording, duration, hearing())
    steps = OTHER_STEPS + len(parts)
    await finished(writer, session_id, "probe", steps)
    return {
        "summary": "",
        "duration": duration,
        "key": recording["key"],
        "brought": brought,
        "as_it_is": as_it_is,
        "parts": parts,
        "steps": steps,
        "heard": None,
        "dialogues": [],
        "unheard": [],
        "pieces": [],
        "notes": None,
        "reviewed": {},
    }


def hearing() -> AudioInput:
    """Return how recordings are lent to the model that transcribes.

    Raises:
        Unavailable: there is none that can hear (TRANSCRIBE_UNAVAILABLE).
    """
    audio = resources().models.audio_input("transcribe")
    if audio is None:
        raise Unavailable(
            "没有配置能听录音的模型，无法转写：请在上传时附上转写文件（WebVTT、SRT或JSON），或联系管理员配置转写模型",
            code="TRANSCRIBE_UNAVAILABLE",
        )
    return audio


async def _measured(key: str) -> float:
    async with storage().file(key) as path:
        return (await audio_tools().probe(path)).duration


def audio_tools() -> AudioTools:
    """Return what works on recordings; shared, because only a few may work at once."""
    return resources().repository(AudioTools, AudioTools)


def _planned(recording: Recording, duration: float, audio: AudioInput) -> tuple[list[Stretch], str]:
    longest = min(PART_SECONDS, (audio.most_bytes - _WAV_HEADER) / (RATE * SAMPLE_BYTES))
    parts = [Stretch(start=part.start, end=part.end) for part in plan(duration, longest, OVERLAP_SECONDS)]
    fits = recording["media_type"] in audio.media_types and recording["size"] <= audio.most_bytes
    return parts, recording["media_type"] if fits and len(parts) == 1 else ""


def to_parts(state: AnalysisState) -> Sequence[Send] | str:
    """Send each part to a task of its own; with a transcript that was brought there is nothing to transcribe."""
    parts = state["parts"]
    return [
        Send(
            "transcribe",
            PartTask(
                session_id=state["session_id"],
                key=state["key"],
                as_it_is=state["as_it_is"],
                index=index,
                parts=len(parts),
                start=part["start"],
                end=part["end"],
                steps=state["steps"],
            ),
        )
        for index, part in enumerate(parts)
    ] or "segments"
