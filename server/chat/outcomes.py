"""What became of a turn: the answer that was kept of it, or why a run brought none."""

import structlog

from core.errors import ColloquyError, ModelFailed, NotFound, TimedOut
from server.chat.errors import SessionExpired
from server.chat.repository.messages import StoredTurn
from server.chat.schemas import Answer, ChatAnswer, deep_answer
from server.runs.model import RunResult, RunStatus

log = structlog.get_logger(__name__)


def stored_answer(stored: StoredTurn) -> Answer:
    """Return an answer as it was given, from what was kept of it."""
    if stored.answer_mode == "deep":
        return deep_answer(str(stored.session_id), (stored.answer or {}) | {"response": stored.answer_text})
    return ChatAnswer(response=stored.answer_text or "", session_id=str(stored.session_id))


def failure(result: RunResult) -> ColloquyError:
    """Return the error for a run that ended without an answer (D035, D036, G43)."""
    if result.status != RunStatus.error:
        return TimedOut("深度思考超时，请稍后重试；再次发送同一条消息会从中断处继续")
    log.warning("deep_chat_failed", error_code=result.error_code)
    if result.error_code == NotFound.default_code:
        return SessionExpired()
    if result.error_status == ModelFailed.status:
        return ColloquyError("AI 调用失败，请稍后重试")
    return ColloquyError("服务器内部错误，请稍后重试")
