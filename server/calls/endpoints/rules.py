"""`/api/v1/call-answer-rules`: which calls are answered, and how (C043–C047, G32)."""

from uuid import UUID

from server.calls import rule_service
from server.calls.endpoints.router import calls_router
from server.calls.rule_schemas import DeletedRule, Evaluation, IncomingCall, Rule, RuleBody, RuleList
from server.calls.schemas import Answer
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = calls_router("/call-answer-rules")


@router.post("")
async def create(body: RuleBody, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[Rule]:
    """Make a rule; conditions that are not known here are kept for the client."""
    rule = await rule_service.create(runtime.database, principal.user_id, body)
    return Answer(data=Rule.model_validate(rule))


@router.get("")
async def list_all(principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[RuleList]:
    """List all of one's rules in the order in which they are tried: by priority, 1 first, then by age."""
    return Answer(data=RuleList(rules=await rule_service.list_all(runtime.database, principal.user_id)))


@router.post("/evaluate")
async def evaluate(body: IncomingCall, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[Evaluation]:
    """Tell which rule would fire for a call, and why; changes nothing."""
    found = await rule_service.evaluate(runtime.database, principal.user_id, body, runtime.clock.now())
    return Answer(data=found)


@router.get("/{rule_id}")
async def read(rule_id: UUID, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[Rule]:
    """Read one rule."""
    rule = await rule_service.read(runtime.database, principal.user_id, rule_id)
    return Answer(data=Rule.model_validate(rule))


@router.put("/{rule_id}")
async def replace(rule_id: UUID, body: RuleBody, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[Rule]:
    """Put another rule in its place."""
    rule = await rule_service.replace(runtime.database, principal.user_id, rule_id, body)
    return Answer(data=Rule.model_validate(rule))


@router.delete("/{rule_id}")
async def delete(rule_id: UUID, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[DeletedRule]:
    """Delete a rule."""
    await rule_service.delete(runtime.database, principal.user_id, rule_id)
    return Answer(data=DeletedRule(id=rule_id))
