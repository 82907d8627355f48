"""Where a fact comes from: 《filename》第n段, written by models and checked here (G39)."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from nodes.meta_workflow.records import Passage

_LONGEST_NAME: Final = 120
_CITED: Final = re.compile(r"[（(]?《([^《》\n]{1,200})》\s*第\s*(\d{1,6}(?:\s*[、,，和-]\s*\d{1,6})*)\s*段\s*[)）]?")
_BREAKING: Final = re.compile(r"[《》\s\x00-\x1f\x7f]+")


class Citation(NamedTuple):
    """A document's passage by the document's shown name and the passage's position."""

    name: str
    position: int

    def __str__(self) -> str:
        return f"《{self.name}》第{self.position}段"


def cite(passage: Passage) -> Citation:
    """Return how a passage is cited; a filename is shown on one line and without brackets of ours."""
    return Citation(_BREAKING.sub(" ", passage["filename"]).strip()[:_LONGEST_NAME] or "文档", passage["position"])


def cited(text: str) -> list[Citation]:
    """Return the passages that a text cites, each once, in their order."""
    return list(dict.fromkeys(citation for found in _CITED.finditer(text) for citation in _named(found)))


def unknown(text: str, passages: Sequence[Passage]) -> list[Citation]:
    """Return what a text cites though nobody gave it to its writer."""
    known = {cite(passage) for passage in passages}
    return [citation for citation in cited(text) if citation not in known]


def without_unknown(text: str, passages: Sequence[Passage]) -> str:
    """Take the citations of passages that there are not out of a text."""
    known = {cite(passage) for passage in passages}
    return _CITED.sub(lambda found: found.group() if set(_named(found)) <= known else "", text)


def _named(found: re.Match[str]) -> Iterator[Citation]:
    name = " ".join(found[1].split())
    return (Citation(name, int(position)) for position in re.findall(r"\d+", found[2]))
