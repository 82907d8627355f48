"""Confirmation over several turns: words, changed arguments, or a decision about what is pending (B039, G72)."""

from typing import Any, Final
from uuid import UUID

from core.errors import Conflict, InvalidInput
from server.interpret import executing, pending, service, turns
from server.interpret.outcome import Outcome
from server.interpret.pending import Pending
from server.interpret.schemas import ConfirmRequest, OfferBody
from server.runs.model import Idempotency
from server.runtime import Runtime

_CANCELLED: Final = "已取消"


async def confirm(
    runtime: Runtime, user_id: UUID, body: ConfirmRequest, idempotency: Idempotency | None
) -> OfferBody | Outcome:
    """Answer what is pending: with words for a new offer or question, else to do it, or to drop it.

    Raises:
        NothingPending: nothing is, or another request was first.
        InvalidInput: arguments that do not fit, or a decision that is not taken here; the offer stays pending.
    """
    thread_id = await executing.thread_of(runtime, user_id, body.session_id)
    offer: dict[str, Any] | None = None
    run_id = await turns.replayed(runtime, user_id, thread_id, idempotency)
    if run_id is None:
        waiting = await pending.of_thread(runtime, user_id, thread_id) if thread_id else ()
        if thread_id is None or not waiting:
            raise turns.NothingPending(turns.NOTHING_PENDING)
        offer = waiting[0].offer
        run_id = await _answered(runtime, user_id, thread_id, waiting[0], body, idempotency)
    if body.text is not None:
        return service.offer_of(await service.within_budget(runtime, user_id, run_id))
    if body.decision != "reject":
        return await executing.awaited(runtime, user_id, run_id)
    output = (await executing.ended(runtime, user_id, run_id)).output
    dropped = offer or output["offer"]
    return OfferBody.model_validate({**dropped, "type": "rejected", "confirmText": output["report"] or _CANCELLED})


async def _answered(
    runtime: Runtime,
    user_id: UUID,
    thread_id: UUID,
    one: Pending,
    body: ConfirmRequest,
    idempotency: Idempotency | None,
) -> UUID:
    decision = await _decision(runtime, one, body)
    if body.text is None:
        return await turns.answer(runtime, user_id, thread_id, one.interrupt_id, decision, idempotency)
    async with service.interpreting(runtime, user_id, body.session_id):
        return await turns.answer(runtime, user_id, thread_id, one.interrupt_id, decision, idempotency)


async def _decision(runtime: Runtime, one: Pending, body: ConfirmRequest) -> dict[str, Any]:
    if body.params is not None:
        return await executing.decided(runtime, one, body.params)
    if body.text is not None:
        if "respond" not in one.allowed:
            raise Conflict("这一步只能同意、修改参数或拒绝")
        return {"type": "respond", "message": body.text}
    if body.decision == "approve":
        if "approve" not in one.allowed:
            raise InvalidInput("工具需要补充信息，请在 params 中填写")
        return await executing.decided(runtime, one, one.params)
    return {"type": "reject"}
