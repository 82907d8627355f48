"""`POST /v1/api/execute`: what was offered is done, once (B027–B030)."""

from typing import Any

from fastapi import Response

from server.error_bodies import NestedBody
from server.idempotency import RequestIdempotency
from server.interpret import executing, service
from server.interpret.endpoints.router import execute_router
from server.interpret.schemas import Answer, ExecuteRequest
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = execute_router()


@router.post("/execute")
async def execute(
    body: ExecuteRequest,
    response: Response,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
) -> Answer[Any] | NestedBody:
    """Confirm the session's pending offer, as it is or with other arguments, and answer what the tool gave."""
    user_id = service.check_user(principal, body)
    outcome = await executing.execute(runtime, user_id, body, idempotency)
    response.status_code = outcome.status
    return outcome.body
