"""Telling how far an analysis is: to its records (G06), and to whoever listens to the run."""

from typing import Final

from langgraph.types import StreamWriter

from nodes.audio_analysis.records import AudioRecords, InMemoryAudioRecords
from nodes.common.resources import resources

# All but the parts: probe, segments, review, store.
OTHER_STEPS: Final = 4


def audio_records() -> AudioRecords:
    """Return the records of the run's owner."""
    return resources().repository(AudioRecords, InMemoryAudioRecords)


async def finished(write: StreamWriter, session_id: str, step: str, steps: int) -> None:
    """Note that one of `steps` steps is done; a repetition after a crash counts once."""
    await audio_records().finished(session_id, step, steps)
    write({"type": "progress", "step": step, "total": steps})
