"""A section from a template: the message's own words, its tags, sentences of the documents; and a revision by rules."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from langchain_core.messages import BaseMessage

from providers.offline.deep import templates
from providers.offline.deep.analysis import evidence
from providers.offline.deep.plan import GOAL, STEPS
from providers.offline.deep.request import Request, clip

_USUAL: Final = 300
_FULL: Final = 1.15
_QUOTED: Final = 150
_SENTENCE_QUOTED: Final = 90
_SOURCES: Final = 6
_CITED: Final = re.compile(r"[（(]?(《[^《》\n]{1,200}》第\d{1,6}段)[)）]?")


def write(messages: Sequence[BaseMessage]) -> str:
    """Answer with a section of about the asked length, or with a draft that was revised."""
    request = Request.of(messages)
    if request["draft"]:
        return _revised(request)
    section = request.json("section")
    title, wanted = str(section.get("title", "")), int(section.get("characters") or _USUAL)
    language = 0 if request.is_chinese else 1
    if title in GOAL:
        return ("" if request.is_chinese else " ").join(_filled(_aims(request, language), wanted))
    if title in STEPS:
        note = templates.NOTE[language]
        steps = _filled(templates.STEPS[language], wanted - _length(note))
        return "\n".join([*(f"{number}. {step}" for number, step in enumerate(steps, 1)), "", note])
    points = [*_evidence(request), *_for_tags(request, language), *templates.POINTS[language]]
    return "\n".join(f"- {point}" for point in _filled(points, wanted))


def _aims(request: Request, language: int) -> list[str]:
    chinese = language == 0
    message = clip(request["message"], _QUOTED if chinese else 2 * _QUOTED).rstrip("。.")
    said = [f"这份内容要做的是：{message}。" if chinese else f"The request: {message}."]
    if request.tags:
        said.append(
            f"读者是关注{'、'.join(request.tags)}的人，开头一句先说他们关心的事。"
            if chinese
            else f"Its readers care about {', '.join(request.tags)}, so the first line speaks of that."
        )
    if subject := " ".join(filter(None, (request.brand, request.product))):
        said.append(f"主角是{subject}。" if chinese else f"It is about {subject}.")
    if content := str(request.json("memory").get("content") or ""):
        before = clip(content, _SENTENCE_QUOTED).rstrip("。.")
        said.append(
            f"上一版写过：{before}。其中的事实沿用，只按这次的要求调整。"
            if chinese
            else f"The last version said: {before}. Its facts stay."
        )
    return [*said, *templates.AIMS[language]]


def _evidence(request: Request) -> list[str]:
    return [
        f"{clip(sentence, _SENTENCE_QUOTED).rstrip('。；;.')}（{source.citation}）。"
        for source, sentence in evidence(request, _SOURCES)
    ]


def _for_tags(request: Request, language: int) -> list[str]:
    form = "写给关注「{}」的人：用他们的一天里的一件小事开头。" if language == 0 else "For {}: open with a small scene."
    return [form.format(tag) for tag in request.tags[:2]]


def _filled(sentences: Iterable[str], wanted: int) -> list[str]:
    """Take sentences in their order while they fit into the wanted length, the first one always."""
    taken: list[str] = []
    length = 0
    for sentence in sentences:
        if taken and length + _length(sentence) > wanted * _FULL:
            continue
        taken.append(sentence)
        length += _length(sentence)
    return taken


def _revised(request: Request) -> str:
    """Add the tags that are missing, and take out citations of what is not there."""
    known = {source.citation for source in request.sources}
    draft = _CITED.sub(lambda found: found.group() if found[1] in known else "", request["draft"])
    missing = [tag for tag in request.tags if tag.casefold() not in draft.casefold()]
    if missing:
        form = "另外，写给关注{}的人时，各补一个与他们有关的例子。"
        draft += "\n\n" + (
            form.format("、".join(missing)) if request.is_chinese else f"Also for: {', '.join(missing)}."
        )
    return draft


def _length(text: str) -> int:
    return len("".join(text.split()))
