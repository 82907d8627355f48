"""The scene of a conversation alone, for those who look into it (A026)."""

from typing import Final
from uuid import UUID

from core.errors import InvalidInput, TimedOut
from server.audio import analysing
from server.audio.coached import failure
from server.audio.records import not_analysed
from server.audio.schemas import Scene
from server.idempotency import key_reused
from server.runs.model import Idempotency, RunRequest, RunStatus
from server.runtime import Runtime

WORKFLOW: Final = "audio_scene"


async def classify(runtime: Runtime, user_id: UUID, session_id: UUID, idempotency: Idempotency | None) -> Scene:
    """Tell which scene a conversation is; nothing of it is kept (A026).

    Raises:
        NotFound: there is no such recording of this user.
        Conflict: it is not analysed yet.
        TimedOut: the budget ran out.
        ColloquyError: the run failed.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await analysing.read(session, user_id, session_id)
    if found.status != "completed":
        raise not_analysed()
    given = {"session_id": str(session_id)}
    request = RunRequest(
        thread_id=runtime.ids.uuid(),
        owner_id=user_id,
        workflow=WORKFLOW,
        input=given,
        metadata=given,
        idempotency=idempotency,
        is_stateless=True,
    )
    try:
        run_id = await runtime.engine.start(request)
    except InvalidInput:
        raise key_reused() from None
    result = await runtime.engine.wait(user_id, run_id, runtime.settings.strategy_timeout_seconds)
    if not result.status.finished:
        raise TimedOut("场景识别超时，请稍后重试")
    if result.status != RunStatus.success or result.output is None:
        raise failure(result)
    return Scene.model_validate(result.output)
