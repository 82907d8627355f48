"""`POST /v1/api/confirm`: confirmation over several turns (B039, G72)."""

from typing import Any

from fastapi import Response

from server.error_bodies import NestedBody
from server.idempotency import RequestIdempotency
from server.interpret import confirming, service
from server.interpret.endpoints.router import interpret_router
from server.interpret.schemas import Answer, ConfirmRequest, OfferBody
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = interpret_router()


@router.post("/confirm")
async def confirm(
    body: ConfirmRequest,
    response: Response,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
) -> OfferBody | Answer[Any] | NestedBody:
    """Say something about the pending offer (a new offer or question), change its arguments, approve or reject it."""
    user_id = service.check_user(principal, body)
    answer = await confirming.confirm(runtime, user_id, body, idempotency)
    if isinstance(answer, OfferBody):
        response.headers["X-Colloquy-Model"] = runtime.models.name("interpret")
        return answer
    response.status_code = answer.status
    return answer.body
