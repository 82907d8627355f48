"""`POST /v1/api/interpret`: words become an offer (B021–B026)."""

from fastapi import Response

from server.idempotency import RequestIdempotency
from server.interpret import service
from server.interpret.endpoints.router import interpret_router
from server.interpret.schemas import InterpretRequest, OfferBody
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = interpret_router()


@router.post("/interpret")
async def interpret(
    body: InterpretRequest,
    response: Response,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
) -> OfferBody:
    """Make an offer of words, to be confirmed, or a question where no tool fits or something is missing."""
    user_id = service.check_user(principal, body)
    response.headers["X-Colloquy-Model"] = runtime.models.name("interpret")
    return await service.interpret(runtime, user_id, body, idempotency)
