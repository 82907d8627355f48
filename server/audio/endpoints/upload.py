"""`/api/v1/audio/upload`: a recording comes in (A021, G05)."""

from typing import Final

from fastapi import Depends, Request

from server.audio import uploading
from server.audio.endpoints.router import audio_router
from server.audio.schemas import UploadedSession
from server.auth.schemas import Envelope
from server.forms import form
from server.limits import limited
from server.runtime import CurrentRuntime
from server.security import PhonePrincipal

router = audio_router("/audio")

_FORM: Final = form(
    {
        "file": "m4a, mp3, wav, aac, ogg, flac, webm or mp4, told by its content",
        "transcript": "What is said in it, if that is known: WebVTT, SRT or JSON",
    },
    {"title": "Its file's name where there is none"},
    required=("file",),
)


# The count of requests first: a form may be a hundred megabytes. It is read by the service, as it arrives.
@router.post("/upload", dependencies=[Depends(limited("uploads"))], openapi_extra=_FORM)
async def upload(request: Request, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[UploadedSession]:
    """Take in a recording; its analysis is read at `tasks/sessions/{session_id}/status`."""
    return Envelope(data=await uploading.upload(runtime, principal.user_id, request))
