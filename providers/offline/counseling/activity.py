"""The report of the week by rules: the homework and what is left to talk about. No events are made up."""

import json
from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.counseling.request import NOTHING, data_of, quotes_in

_SUMMARY: Final = "离线规则不编写一周的经历，只列出作业和还想谈的话。"
_LONGEST: Final = 80
_MOST_HOMEWORK: Final = 5


def write_activity(messages: Sequence[BaseMessage]) -> str:
    """Answer `<activity>{…}</activity>` from the diary and the homework between their tags."""
    data = data_of(messages)
    titles = [line.strip() for line in data.get("homework", "").splitlines() if line.strip()]
    said = quotes_in(data.get("diary", "").partition("咨询师对我说")[0])
    report = {
        "summary": _SUMMARY,
        "days": [],
        "homework": [
            {"title": title[:_LONGEST], "done": "未知", "note": "离线规则不知道做了没有"}
            for title in titles[:_MOST_HOMEWORK]
        ],
        "mood": "未知",
        "wants_to_talk": said[-1] if said else NOTHING,
    }
    # No text of a person may end our tag, and `<` inside JSON can be written so that it does not.
    return f"<activity>{json.dumps(report, ensure_ascii=False).replace('<', chr(92) + 'u003c')}</activity>"
