"""`/api/v1/tasks/sessions/{id}/audio-segments` and `extract-segment` (A028, A029, G09)."""

from uuid import UUID

from fastapi import Depends

from server.audio import segments
from server.audio.endpoints.router import audio_router
from server.audio.schemas import Piece, SegmentList, SegmentRequest
from server.auth.schemas import Envelope
from server.limits import limited
from server.runtime import CurrentRuntime
from server.security import PhonePrincipal

router = audio_router("/tasks/sessions/{session_id}")


@router.get("/audio-segments")
async def listed(session_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[SegmentList]:
    """List who said what and when, and the pieces that were cut out, in order of time."""
    return Envelope(data=await segments.listed(runtime, principal.user_id, session_id))


@router.post("/extract-segment", dependencies=[Depends(limited("uploads"))])
async def extract(
    session_id: UUID, body: SegmentRequest, principal: PhonePrincipal, runtime: CurrentRuntime
) -> Envelope[Piece]:
    """Cut a piece out of a recording, as WAV; asking twice for the same gives the same piece."""
    return Envelope(data=await segments.extract(runtime, principal.user_id, session_id, body))
