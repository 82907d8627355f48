"""What deep chat refuses, in its own words (D033–D036, G34, G39, G42)."""

from typing import Final

from core.errors import ColloquyError, Conflict, InvalidInput, NotFound, TooLarge
from tools.documents.model import MOST_PAGES, Refusal


class SessionExpired(ColloquyError):
    """The session is unknown, expired, or another's: the client cannot tell which (K20, K25).

    440 is no registered status, and so no `http.HTTPStatus` (G40).
    """

    status = 440
    default_code = "SESSION_EXPIRED"

    def __init__(self) -> None:
        super().__init__("会话已过期，请重新初始化")


def session_busy() -> Conflict:
    """Return the error for a second request while the first is being answered (G42)."""
    return Conflict("会话正在处理上一条消息，请稍候", code="SESSION_BUSY")


def no_pending_decision() -> Conflict:
    """Return the error for a decision that nobody waits for."""
    return Conflict("当前没有等待确认的修订", code="NO_PENDING_DECISION")


def key_reused() -> InvalidInput:
    """Return the error for an idempotency key of another request."""
    return InvalidInput("这个 Idempotency-Key 已用于另一个请求", code="IDEMPOTENCY_KEY_REUSED")


def nothing_to_stream() -> NotFound:
    """Return the error for a session in which nothing has been asked."""
    return NotFound("会话还没有消息", code="NO_MESSAGES")


def not_in_this_mode() -> NotFound:
    """Return the error for what only logged-in callers have: without a login it would hand out capabilities."""
    return NotFound("没有这个地址")


MOST_DOCUMENTS: Final = 5


def too_many_documents() -> InvalidInput:
    """Return the error for the sixth document (D031)."""
    return InvalidInput(f"每个会话最多上传{MOST_DOCUMENTS}个文档", code="DOCUMENT_LIMIT")


def document_too_large(most_bytes: int) -> TooLarge:
    """Return the error for a file over the limit."""
    return TooLarge(f"文档不能超过{most_bytes / 1024 / 1024:g} MB", code="DOCUMENT_TOO_LARGE")


_REFUSED: Final[dict[Refusal, str]] = {
    "unsupported": "不支持的文档类型，请上传 txt、md、csv、json、docx 或 pdf",
    "mismatch": "文档内容与扩展名不符，或不是可读的文本",
    "broken": "文档已损坏，无法读取",
    "encrypted": "文档已加密，无法读取",
    "too_large": f"文档内容过多：最多{MOST_PAGES}页，解压后也不能过大",
    "too_slow": "文档解析超时，请上传更小的文档",
    "empty": "文档中没有可读的文字",
}


def document_refused(reason: Refusal) -> InvalidInput:
    """Return the error for a document that cannot be read."""
    return InvalidInput(_REFUSED[reason], code="DOCUMENT_INVALID")
