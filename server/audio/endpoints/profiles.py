"""`/api/v1/profiles`: people whom one talks with (A039–A043, G12)."""

from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Query, Request
from starlette.responses import FileResponse

from server.audio import profiles
from server.audio.endpoints.lent import IMAGE, sent
from server.audio.endpoints.router import audio_router
from server.audio.listening import Lent
from server.audio.profile_schemas import (
    DeletedProfile,
    NewProfile,
    PhotoView,
    ProfileChanges,
    ProfileList,
    ProfileView,
)
from server.auth.schemas import Envelope
from server.forms import form
from server.limits import limited
from server.paging import PageNumber, PageSize
from server.runtime import CurrentRuntime
from server.security import PhonePrincipal

router = audio_router("/profiles")

_FORM: Final = form({"file": "jpg, png or webp, up to 5 MB"}, {}, required=("file",))


@router.get("")
async def list_page(
    principal: PhonePrincipal, runtime: CurrentRuntime, page: PageNumber = 1, page_size: PageSize = 20
) -> Envelope[ProfileList]:
    """List one's profiles, newest first."""
    return Envelope(data=await profiles.list_page(runtime, principal.user_id, page=page, page_size=page_size))


@router.post("")
async def create(body: NewProfile, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[ProfileView]:
    """Make a profile."""
    return Envelope(data=await profiles.create(runtime, principal.user_id, body))


# The count of requests first: a form may be five megabytes. It is read by the service, as it arrives.
@router.post("/upload-photo", dependencies=[Depends(limited("uploads"))], openapi_extra=_FORM)
async def upload_photo(
    request: Request,
    principal: PhonePrincipal,
    runtime: CurrentRuntime,
    profile_id: Annotated[UUID, Query(description="Whose photo it is")],
) -> Envelope[PhotoView]:
    """Give a profile a photo, in place of an earlier one."""
    return Envelope(data=await profiles.set_photo(runtime, principal.user_id, profile_id, request))


@router.get("/{profile_id}")
async def read(profile_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[ProfileView]:
    """Read one profile."""
    return Envelope(data=await profiles.read(runtime, principal.user_id, profile_id))


@router.put("/{profile_id}")
async def change(
    profile_id: UUID, body: ProfileChanges, principal: PhonePrincipal, runtime: CurrentRuntime
) -> Envelope[ProfileView]:
    """Change what is sent of a profile."""
    return Envelope(data=await profiles.change(runtime, principal.user_id, profile_id, body))


@router.delete("/{profile_id}")
async def delete(profile_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[DeletedProfile]:
    """Delete a profile and its photo."""
    await profiles.delete(runtime, principal.user_id, profile_id)
    return Envelope(data=DeletedProfile(id=profile_id))


async def lent_photo(profile_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> AsyncIterator[Lent]:
    """Lend the photo until the answer is sent."""
    async with profiles.photo(runtime, principal.user_id, profile_id) as lent:
        yield lent


@router.get("/{profile_id}/photo", response_class=FileResponse, response_model=bytes, responses=IMAGE)
async def photo(lent: Annotated[Lent, Depends(lent_photo)]) -> FileResponse:
    """Return a profile's photo."""
    return sent(lent)
