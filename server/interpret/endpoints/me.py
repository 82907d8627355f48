"""`GET /v1/api/me`: one's user in this family, and the `userId` that bodies have to name (B016, B035, K21)."""

from server.interpret import service
from server.interpret.endpoints.router import execute_router
from server.interpret.schemas import Answer, UserView
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = execute_router()


@router.get("/me")
async def me(principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[UserView]:
    """Read one's own user, made at the first request."""
    return Answer(data=await service.read_user(runtime, principal.user_id))
