"""What a player asks for, beside the seed: a recording's and a piece's bytes, with ranges, and the waveform."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query
from starlette.responses import FileResponse

from server.audio import listening
from server.audio.endpoints.router import audio_router
from server.audio.listening import Lent
from server.audio.schemas import Waveform
from server.auth.schemas import Envelope
from server.runtime import CurrentRuntime
from server.security import PhonePrincipal
from tools.audio.model import MOST_BUCKETS

router = audio_router("/tasks/sessions/{session_id}")

_BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "A range of it"},
    416: {"description": "There is no such range"},
}


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


@router.get("/audio", response_class=FileResponse, response_model=bytes, responses=_BYTES)
async def recording(lent: Annotated[Lent, Depends(lent_recording)]) -> FileResponse:
    """Return the recording as it was uploaded, or a range of it."""
    return _file(lent)


@router.get("/audio-segments/{segment_id}/audio", response_class=FileResponse, response_model=bytes, responses=_BYTES)
async def piece(lent: Annotated[Lent, Depends(lent_piece)]) -> FileResponse:
    """Return a piece that was cut out, or a range of it."""
    return _file(lent)


@router.get("/waveform")
async def waveform(
    session_id: UUID,
    principal: PhonePrincipal,
    runtime: CurrentRuntime,
    buckets: Annotated[int, Query(ge=1, le=MOST_BUCKETS, description="How many stretches")] = 800,
) -> Envelope[Waveform]:
    """Return the waveform: the lowest and highest sample of each of equally long stretches."""
    return Envelope(data=await listening.waveform(runtime, principal.user_id, session_id, buckets))


def _file(lent: Lent) -> FileResponse:
    headers = {
        # What strangers uploaded is played, and never opened as a page.
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "inline",
        "Cache-Control": "private, no-cache",
    }
    return FileResponse(lent.path, media_type=lent.media_type, headers=headers)
