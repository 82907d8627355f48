"""The visitor's diary by rules: what the visitor and the counselor said, quoted. Nothing is made up."""

import re
from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.counseling.request import BY_RULES, best, data_of, quote, sentences

_VISITOR: Final = re.compile(
    r"觉得|怕|难受|哭|累|睡|心|想|总是|每次|一直|从来|第一次|其实|没告诉|瞒|答应|不敢|后悔|对不起|恨|气|爸|妈|"
    r"[0-9]+|[一二三四五六七八九十两]+(?:次|天|年|个|岁|分|点|遍)"
)
_COUNSELOR: Final = re.compile(r"作业|记录|记下|试着|试试|下次|这周|这一周|约定|愿意|听起来|谢谢|当时")
_MOST_OWN: Final = 6
_MOST_HEARD: Final = 2


def write_diary(messages: Sequence[BaseMessage]) -> str:
    """Answer `<diary>…</diary>` from the transcript between its tags."""
    said = sentences(data_of(messages).get("transcript", ""))
    own = best((each for each in said if each.speaker == "ai"), _VISITOR, _MOST_OWN)
    # Without a cue it is small talk, a question, or an order to whoever writes this.
    heard = best(
        (each for each in said if each.speaker == "user" and _COUNSELOR.search(each.text)), _COUNSELOR, _MOST_HEARD
    )
    told = [BY_RULES]
    told.append("今天的咨询里，我说：" + "".join(quote(each.text) for each in own) if own else "今天我没有说什么。")
    if heard:
        told.append("咨询师对我说：" + "".join(quote(each.text) for each in heard))
    return f"<diary>{'。'.join(told).replace('）。', '）')}</diary>"
