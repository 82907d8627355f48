"""`/api/v1/auth`: log in by phone (A011–A020). The two that make a login are open, of course (K19)."""

from typing import Final

from fastapi import Depends

from server.auth import service
from server.auth.identity import CurrentIdentity
from server.auth.schemas import CodeRequest, EchoedCode, Envelope, LoggedIn, Login, Me, SentCode
from server.errors import family_router
from server.families import AUDIO
from server.limits import limited
from server.runtime import CurrentRuntime
from server.security import SECURED, PhonePrincipal, anybody

_REFUSALS: Final = (400, 401, 403, 404, 413, 422, 429, 500, 502)

router = family_router(AUDIO, "/api/v1/auth", _REFUSALS, secured=False)


@router.post(
    "/send-code",
    response_model=Envelope[EchoedCode | SentCode],
    dependencies=[Depends(anybody), Depends(limited("codes"))],
)
async def send_code(body: CodeRequest, runtime: CurrentRuntime, identity: CurrentIdentity) -> Envelope[SentCode]:
    """Send a login code to a phone: six digits, valid for five minutes; one a minute."""
    return Envelope(data=await service.send_code(runtime, identity, body.phone))


@router.post("/login", dependencies=[Depends(anybody), Depends(limited("logins"))])
async def login(body: Login, runtime: CurrentRuntime, identity: CurrentIdentity) -> Envelope[LoggedIn]:
    """Log in with the code; five wrong tries burn it."""
    return Envelope(data=await service.log_in(runtime, identity, body.phone, body.code))


@router.get("/me", dependencies=list(SECURED))
async def me(principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[Me]:
    """Tell who one is."""
    return Envelope(data=await service.me(runtime, principal))
