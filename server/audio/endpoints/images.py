"""`/api/v1/images`, the end of old pictures, and files behind a signed address (A031–A033, G11, W02)."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from starlette.responses import FileResponse

from server.audio import files, pictures
from server.audio.endpoints.lent import IMAGE, sent
from server.audio.endpoints.router import audio_router
from server.audio.listening import Lent
from server.audio.schemas import CleanedUp, PictureLink
from server.auth.schemas import Envelope
from server.runtime import CurrentRuntime
from server.security import AdminPrincipal, PhonePrincipal, anybody

router = audio_router("")

Index = Annotated[int, Path(ge=0, le=1000)]
Days = Annotated[int, Query(ge=1, le=36500, description="Pictures that are older go")]


async def lent_picture(
    session_id: UUID, image_index: Index, principal: PhonePrincipal, runtime: CurrentRuntime
) -> AsyncIterator[Lent]:
    """Lend the picture until the answer is sent."""
    async with pictures.picture(runtime, principal.user_id, session_id, image_index) as lent:
        yield lent


@router.get("/images/{session_id}/{image_index}", response_class=FileResponse, response_model=bytes, responses=IMAGE)
async def picture(lent: Annotated[Lent, Depends(lent_picture)]) -> FileResponse:
    """Return one picture of a strategy."""
    return sent(lent)


@router.get("/images/{session_id}/{image_index}/link")
async def link(
    session_id: UUID, image_index: Index, principal: PhonePrincipal, runtime: CurrentRuntime
) -> Envelope[PictureLink]:
    """Return an address of the picture that needs no login and works for ten minutes."""
    return Envelope(data=await pictures.link(runtime, principal.user_id, session_id, image_index))


@router.post("/admin/cleanup-images")
@router.get("/admin/cleanup-images", summary="Clean Up (use POST)")
async def clean_up(
    response: Response, _admin: AdminPrincipal, runtime: CurrentRuntime, days: Days = 7
) -> Envelope[CleanedUp]:
    """Delete pictures that are older than so many days; GET is the seed's, POST the one to use."""
    response.headers["Cache-Control"] = "no-store"
    deleted = await pictures.clean_up(runtime.system, runtime.storage, runtime.clock, days)
    await files.sweep(runtime.system, runtime.storage)
    return Envelope(data=CleanedUp(days=days, deleted=deleted))


async def lent_file(
    runtime: CurrentRuntime,
    key: str,
    expires: Annotated[int, Query(ge=0, description="When the address ends, in seconds of the epoch")],
    signature: Annotated[str, Query(max_length=100)],
) -> AsyncIterator[Lent]:
    """Lend the file until the answer is sent."""
    async with pictures.signed(runtime, key, expires, signature) as lent:
        yield lent


@router.get(
    "/files/{key:path}",
    dependencies=[Depends(anybody)],
    response_class=FileResponse,
    response_model=bytes,
    responses=IMAGE,
)
async def file(lent: Annotated[Lent, Depends(lent_file)]) -> FileResponse:
    """Return a file to whoever has its signed address, until that ends; a bucket serves its own."""
    return sent(lent)
