"""`/auth` and `/me`: log in by e-mail (E048–E052). The two that make a login are open, of course."""

from fastapi import BackgroundTasks, Depends

from server.auth.identity import CurrentIdentity
from server.counseling import login
from server.counseling.endpoints.router import counseling_router
from server.counseling.members import CurrentMember
from server.counseling.schemas import CodeCheck, CodeRequest, LoggedIn, Me, Ok, StudentMe
from server.limits import limited
from server.runtime import CurrentRuntime
from server.security import SECURED, anybody

router = counseling_router("", secured=False)


@router.post("/auth/request-code", dependencies=[Depends(anybody), Depends(limited("codes"))])
async def request_code(
    body: CodeRequest, later: BackgroundTasks, runtime: CurrentRuntime, identity: CurrentIdentity
) -> Ok:
    """Send a login code to an address that is on the list; the answer is the same for every other one (G62)."""
    issued = await login.issue(runtime, identity, body.email)
    if issued is not None:
        later.add_task(login.send, runtime, identity, body.email, issued)
    return Ok()


@router.post("/auth/verify-code", dependencies=[Depends(anybody), Depends(limited("logins"))])
async def verify_code(body: CodeCheck, runtime: CurrentRuntime, identity: CurrentIdentity) -> LoggedIn:
    """Log in with the code; five wrong tries burn it."""
    return await login.verify(runtime, identity, body.email, body.code)


@router.get("/me", response_model=StudentMe | Me, dependencies=list(SECURED))
async def me(member: CurrentMember, runtime: CurrentRuntime) -> Me:
    """Tell who one is; a student also, which visitor instances are his."""
    return await login.me(runtime, member)
