"""What parts of a recording share, they share with parts of that recording only (X031)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.errors import NotFound
from nodes.audio_analysis import sharing
from nodes.audio_analysis.records import AudioRecords, InMemoryAudioRecords
from nodes.audio_analysis.state import PartTask
from nodes.audio_analysis.transcribe import transcribe
from nodes.common.resources import Resources, bind
from tests.kit.fake_models import FakeAudio, RoleModels
from tools.audio.worker import AudioTools
from tools.storage.local import LocalStorage
from tools.storage.model import Storage
from tools.storage.signing import Signer


async def content() -> AsyncIterator[bytes]:
    yield b"another person's voice"


def task(key: str) -> PartTask:
    return PartTask(session_id="s", key=key, as_it_is="audio/wav", index=0, parts=1, start=0, end=1, steps=1)


async def test_a_part_that_names_another_session_does_not_get_its_recording(tmp_path: Path) -> None:
    """Over LangGraph's protocol a client may write the state that a part is sent with."""
    storage = LocalStorage(tmp_path, Signer(bytes(32), "/"), SystemClock())
    stored = await storage.put("recordings", "wav", content(), most_bytes=100)
    audio = FakeAudio()
    bound: dict[type, object] = {AudioRecords: InMemoryAudioRecords(), Storage: storage, AudioTools: AudioTools()}
    foreign = stored.key.replace(".wav", ".mp3")
    with bind(Resources(models=RoleModels({"transcribe": ""}, 1, audio), repositories=bound)):
        async with sharing.shared(stored.key) as work:
            await work.recording()
            with pytest.raises(NotFound):
                await transcribe(task(foreign), writer=lambda _told: None)
    assert audio.lent == []
