"""What can be said about a request by counting and quoting."""

from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.deep.request import Request, Source, clip, tellable, words

_QUOTED: Final = 70
_SOURCES: Final = 3


def analyse(messages: Sequence[BaseMessage]) -> str:
    """Answer with the aim, the readers, the facts with their sources, and what is missing."""
    request = Request.of(messages)
    return _chinese(request) if request.is_chinese else _english(request)


def evidence(request: Request, most: int) -> list[tuple[Source, str]]:
    """Return the sentences of the passages that share most with the message, each with its source."""
    wanted = words(request["message"])
    found = [(source, sentence) for source in request.sources for sentence in tellable(source.text)]
    weights = [
        len(wanted & words(sentence)) + (0.5 if any(character.isdigit() for character in sentence) else 0)
        for _source, sentence in found
    ]
    best = sorted(range(len(found)), key=lambda place: -weights[place])[:most]
    return [found[place] for place in best]


def _chinese(request: Request) -> str:
    said = [f"目标：{clip(request['message'], _QUOTED)}"]
    if request.tags:
        said.append(f"读者是关注{'、'.join(request.tags)}的人，正文要让这些词落到具体的场景里。")
    quoted = [f"{clip(text, _QUOTED)}（{source.citation}）" for source, text in evidence(request, _SOURCES)]
    said.append(f"可用的事实：{'；'.join(quoted)}。" if quoted else "没有可查的文件，事实以消息里说到的为准。")
    if content := str(request.json("memory").get("content") or ""):
        said.append(f"上一版写的是：{clip(content, _QUOTED)}")
    said.append("没有说到的价格、日期和名称不编造，留作待确认。")
    return "".join(sentence if sentence.endswith(("。", "…", "！", "？")) else f"{sentence}。" for sentence in said)


def _english(request: Request) -> str:
    said = [f"The aim: {clip(request['message'], 2 * _QUOTED)}"]
    if request.tags:
        said.append(f"The readers care about {', '.join(request.tags)}; the text ties each of these to a situation.")
    quoted = [f"{clip(text, 2 * _QUOTED)} ({source.citation})" for source, text in evidence(request, _SOURCES)]
    said.append(f"Facts at hand: {'; '.join(quoted)}." if quoted else "There is no file to look into.")
    said.append("Prices, dates and names that were not given stay open.")
    return " ".join(said)
