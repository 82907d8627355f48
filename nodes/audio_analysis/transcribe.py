"""Step 2: what is said in each part of the recording, by the model that hears (A001); a few parts at once."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from langgraph.types import StreamWriter

from core.errors import ModelFailed
from nodes.audio_analysis.hearing import listen
from nodes.audio_analysis.probe import audio_tools, hearing
from nodes.audio_analysis.prompting import about_sound
from nodes.audio_analysis.sharing import shared
from nodes.audio_analysis.state import PartHeard, PartTask
from nodes.audio_analysis.steps import finished
from nodes.common.attempts import attempted
from providers.speech.model import WAV
from tools.audio.parts import Part

# Seconds. Attempts have limits of their own; this one ends a stream that trickles for ever. A repair doubles it.
_LISTENING_TIMEOUT: Final = 900.0
# What counting and time stamps may be apart by in a recording with broken packets: its end must not get lost.
_BEYOND_THE_END: Final = 30.0


async def transcribe(state: PartTask, *, writer: StreamWriter) -> dict[str, Any]:
    """Transcribe one part; those that have begun are kept when another one fails (X021).

    Raises:
        ModelFailed: no attempt brought a usable answer.
        Unavailable: no model that can hear is configured any more.
        NotFound: the recording is gone.
    """
    async with shared(state["key"]) as work:
        recording = await work.recording()
        async with work.turn():
            heard = await _transcribed(state, recording)
            await finished(writer, state["session_id"], f"transcribe-{state['index']}", state["steps"])
    # Keys of a JSON object are strings.
    return {"heard": {str(state["index"]): heard}}


async def _transcribed(state: PartTask, recording: Path) -> PartHeard:
    async with AsyncExitStack() as held:
        if state["as_it_is"]:
            sound, media_type = recording, state["as_it_is"]
        else:
            sound, media_type = await held.enter_async_context(_cut(state, recording)), WAV
        lend = partial(hearing().attached, sound, media_type)
        block = await attempted("transcribe", lambda: held.enter_async_context(lend()))
        question = about_sound(block, state["index"] + 1, state["parts"], state["end"] - state["start"])
        try:
            async with asyncio.timeout(_LISTENING_TIMEOUT):
                return await listen(question, state["end"] - state["start"])
        except TimeoutError as error:
            raise ModelFailed("转写用时过长，请稍后再试") from error


@asynccontextmanager
async def _cut(state: PartTask, recording: Path) -> AsyncIterator[Path]:
    """Lend the part as a WAV file of its own."""
    last = state["index"] == state["parts"] - 1
    part = Part(state["start"], state["end"] + (_BEYOND_THE_END if last else 0))
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="colloquy-part-"))
    try:
        [sound] = await audio_tools().write_parts(recording, [part], folder)
        yield sound
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
