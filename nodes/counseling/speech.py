"""From what a model wrote to what the visitor says: the words alone, one to five sentences (G47)."""

import re
from typing import Final

MOST_SENTENCES: Final = 5
LONGEST: Final = 400
_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"</?[A-Za-z_][^<>]{0,60}>")
_LABEL: Final = re.compile(
    r"\s*(?:ai|assistant|visitor|来访者|[^\s:：，。！？]{1,8}（来访者）)\s{0,2}[:：]\s*", re.IGNORECASE
)
# While less than this is there, a label may still be coming.
_LABEL_ROOM: Final = 16
_SENTENCE: Final = re.compile(r"[^。！？!?]*[。！？!?]+[”」』’\"）)]*")
_BLANK: Final = re.compile(r"\s+")
# Said of oneself, not of others: "你是不是机器人" is what a visitor may well ask.
_NOT_A_VISITOR: Final = re.compile(
    r"作为(?:一个|一名|一款)?(?:AI|人工智能|语言模型|大模型|虚拟|智能助手)|"
    r"我(?:只|其实|就)?是(?:一个|一款|由.{1,12}(?:开发|训练)的)?(?:AI|人工智能|语言模型|大模型|聊天机器人|智能助手)|"
    r"系统提示词?|提示词|人物设定|角色设定|角色扮演|"
    r"as an? (?:ai|language model)|i(?:'m| am) an? (?:ai|language model|assistant)|system prompt",
    re.IGNORECASE,
)


def spoken(raw: str, *, complete: bool) -> str:
    """Return the visitor's words: no thought, tag, label or line break; at most five sentences.

    What is returned for a beginning of an answer is a beginning of what is returned for all of it.
    """
    text = _TAG.sub("", _THOUGHT.sub("", raw))
    if not complete:
        # A tag, and with it a thought, may just have begun.
        text = text.partition("<")[0]
        if len(text.lstrip()) < _LABEL_ROOM:
            return ""
    text = _BLANK.sub(" ", _LABEL.sub("", text, count=1) if _LABEL.match(text) else text).lstrip()
    return _first_sentences(text[:LONGEST]).rstrip()


def in_role(said: str) -> bool:
    """Tell whether these can be the visitor's words: something is said, and nobody speaks of being a program."""
    return any(map(str.isalnum, said)) and _NOT_A_VISITOR.search(said) is None


def _first_sentences(text: str) -> str:
    end = 0
    for number, sentence in enumerate(_SENTENCE.finditer(text), 1):
        end = sentence.end()
        if number == MOST_SENTENCES:
            return text[:end]
    return text
