"""The visitor's memory by rules: what it held stays, word for word; sentences of the diary are added to it."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.counseling.request import NOTHING, data_of, quotes_in

_FOCUS: Final = "thisweek_focus"
# What belongs in a slot; a topic is whatever was said.
_CUES: Final[dict[str, re.Pattern[str]]] = {
    "discussed_topics": re.compile(r"."),
    "milestones": re.compile(
        r"第一次|做到|敢|试了|终于|答应|完成|没有再|少了|说出来|从来没(?:有)?(?:跟|和|对)?.{0,4}(?:说|讲)过"
    ),
    "recurring_patterns": re.compile(r"总是|每次|每天|一直|又|反复|老是|一.{1,6}就"),
    "core_belief_evolution": re.compile(
        r"我(?:就是|是个|不行)|不配|没用|废物|是我的错|怪我|不够好|不如|丢下|不要我|害了|对不起"
    ),
}
_SLOT: Final = re.compile(rf"^({_FOCUS}|{'|'.join(_CUES)}): ", re.MULTILINE)
# Characters of a slot. What was there before goes first, and is not cut for what is new.
_LONGEST: Final = 1000
_LONGEST_FOCUS: Final = 300


def write_memory(messages: Sequence[BaseMessage]) -> str:
    """Answer `<longterm_memory>…</longterm_memory>` from memory, diary and report between their tags."""
    data = data_of(messages)
    pieces = _SLOT.split(data.get("memory", ""))
    held = {name: text.strip() for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}
    said = quotes_in(data.get("diary", "").partition("咨询师对我说")[0])
    slots = {_FOCUS: _focus(data.get("activity", ""), held.get(_FOCUS, ""))}
    # The week's focus is written anew; what it was belongs to what has been talked about.
    if (before := held.get(_FOCUS, "")) not in ("", NOTHING, slots[_FOCUS]):
        held["discussed_topics"] = _added(held.get("discussed_topics", ""), before.split("；"))
    for slot, cues in _CUES.items():
        slots[slot] = _added(held.get(slot, ""), (sentence for sentence in said if cues.search(sentence)))
    inside = "\n".join(f"<{slot}>{_plain(text)}</{slot}>" for slot, text in slots.items())
    return f"<longterm_memory>\n{inside}\n</longterm_memory>"


def _focus(activity: str, before: str) -> str:
    try:
        report = json.loads(activity)
        wanted = [str(report.get("wants_to_talk") or "")]
        homework = [f"作业：{piece['title']}" for piece in report.get("homework") or []]
    except (ValueError, AttributeError, TypeError, KeyError):
        return before or NOTHING
    told = [text for text in (*wanted, *homework) if text and text != NOTHING]
    return "；".join(told)[:_LONGEST_FOCUS] or before or NOTHING


def _added(before: str, new: Iterable[str]) -> str:
    text = "" if before == NOTHING else before
    for sentence in new:
        longer = f"{text}；{sentence}" if text else sentence
        if sentence not in text and len(longer) <= _LONGEST:
            text = longer
    return text or NOTHING


def _plain(text: str) -> str:
    return text.replace("<", "‹").replace(">", "›")
