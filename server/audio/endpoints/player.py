"""What a player asks for, beside the seed: a recording's and a piece's bytes, with ranges, and the waveform."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from starlette.responses import FileResponse

from server.audio import listening
from server.audio.endpoints.lent import SOUND, sent
from server.audio.endpoints.router import audio_router
from server.audio.listening import Lent
from server.audio.schemas import Waveform
from server.auth.schemas import Envelope
from server.runtime import CurrentRuntime
from server.security import PhonePrincipal
from tools.audio.model import MOST_BUCKETS

router = audio_router("/tasks/sessions/{session_id}")


async def lent_recording(session_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> AsyncIterator[Lent]:
    """Lend the recording until the answer is sent."""
    async with listening.recording(runtime, principal.user_id, session_id) as lent:
        yield lent


async def lent_piece(
    session_id: UUID, segment_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime
) -> AsyncIterator[Lent]:
    """Lend the piece until the answer is sent."""
    async with listening.piece(runtime, principal.user_id, session_id, segment_id) as lent:
        yield lent


@router.get("/audio", response_class=FileResponse, response_model=bytes, responses=SOUND)
async def recording(lent: Annotated[Lent, Depends(lent_recording)]) -> FileResponse:
    """Return the recording as it was uploaded, or a range of it."""
    return sent(lent)


@router.get("/audio-segments/{segment_id}/audio", response_class=FileResponse, response_model=bytes, responses=SOUND)
async def piece(lent: Annotated[Lent, Depends(lent_piece)]) -> FileResponse:
    """Return a piece that was cut out, or a range of it."""
    return sent(lent)


@router.get("/waveform")
async def waveform(
    session_id: UUID,
    principal: PhonePrincipal,
    runtime: CurrentRuntime,
    buckets: Annotated[int, Query(ge=1, le=MOST_BUCKETS, description="How many stretches")] = 800,
) -> Envelope[Waveform]:
    """Return the waveform: the lowest and highest sample of each of equally long stretches."""
    return Envelope(data=await listening.waveform(runtime, principal.user_id, session_id, buckets))
