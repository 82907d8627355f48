"""The intent by cues: a greeting, a question about the session's documents, a list of labelled wishes."""

import json
import re
from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.deep.request import Request, clip

_CASUAL: Final = re.compile(
    r"(?:(?:你好|您好|嗨|哈喽|在吗|早上好|下午好|晚上好|谢谢|多谢|感谢|再见|拜拜|好的|辛苦了|hi|hello|hey|thanks|"
    r"thank you|bye|good (?:morning|evening)|你是谁|你叫什么|你能做什么|你会什么|who are you|what can you do)"
    r"[\s，,。.！!？?～~呀啊吗呢]*)+",
    re.IGNORECASE,
)
_DOCUMENTS: Final = re.compile(
    r"文件|文档|资料|附件|上传|手册|报告|记录|表格|\b(?:document|file|attach|upload|report|manual)", re.IGNORECASE
)
_LABELLED: Final = re.compile(r"^\s*(?:[-*•]|\d+[.、)]|[^\s:：]{1,12}[:：])", re.MULTILINE)
_SEVERAL: Final = 3
_UNDERSTOOD: Final = 60


def recognise(messages: Sequence[BaseMessage]) -> str:
    """Answer with an intent and the message's first sentence."""
    request = Request.of(messages)
    understanding = clip(request.clauses[0] if request.clauses else request["message"], _UNDERSTOOD)
    return json.dumps({"intent": _intent(request), "understanding": understanding}, ensure_ascii=False)


def _intent(request: Request) -> str:
    message = request["message"].strip()
    if request["documents"] and (_DOCUMENTS.search(message) or any(name in message for name in request.filenames)):
        return "document_query"
    if _CASUAL.fullmatch(message):
        return "casual_chat"
    return "structured_request" if len(_LABELLED.findall(message)) >= _SEVERAL else "free_discussion"
