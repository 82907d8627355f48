"""Short replies by cues, and the plain statement that nobody understood the rest."""

import re
from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.deep.request import Request, clip

_THANKS: Final = re.compile(r"谢谢|多谢|感谢|辛苦|\bthank", re.IGNORECASE)
_GOODBYE: Final = re.compile(r"再见|拜拜|\bbye\b", re.IGNORECASE)
_ABILITIES: Final = re.compile(
    r"你是谁|你叫什么|(?:你|能|会|可以).{0,6}(?:做什么|什么|哪些)|what can you|who are you", re.IGNORECASE
)
_GREETING: Final = re.compile(r"你好|您好|在吗|早上好|下午好|晚上好|\b(?:hi|hello|hey)\b", re.IGNORECASE)
_QUOTED: Final = 40
_REPLIES: Final = (
    (_THANKS, "不客气，随时可以继续。", "You are welcome."),
    (_GOODBYE, "再见，需要时随时回来。", "Goodbye, come back any time."),
    (
        _ABILITIES,
        "我可以帮您生成营销文案、分析用户画像、优化内容策略，也可以根据上传的文档写作。现在是离线模式，只按规则回复。",
        "I can draft copy, look at your audience and write from your documents. I am offline and reply by rules.",
    ),
    (_GREETING, "您好！想从文案、用户画像还是内容策略开始？", "Hello! Shall we begin with copy, audience or strategy?"),
)


def reply(messages: Sequence[BaseMessage]) -> str:
    """Answer a greeting, thanks or a question about abilities; anything else is repeated, not answered."""
    request = Request.of(messages)
    language = 1 if request.is_chinese else 2
    found = next((replies for replies in _REPLIES if replies[0].search(request["message"])), None)
    if found is not None:
        return str(found[language])
    said = clip(request["message"], _QUOTED)
    if request.is_chinese:
        return f"收到：“{said}”。现在是离线模式，没有语言模型；可以改用深度思考模式，得到一份按模板填好的方案。"
    return f"Noted: “{said}”. I am offline, without a language model; deep mode fills a template with what you say."
