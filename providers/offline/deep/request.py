"""What a step of deep chat was asked with: the data blocks of its message, and what rules can read out of them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from langchain_core.messages import BaseMessage, HumanMessage

_BLOCK: Final = re.compile(r"^<([a-z]+)>\n(.*?)\n</\1>$", re.DOTALL | re.MULTILINE)
_SENTENCE: Final = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]?")
_CJK: Final = re.compile(r"[\u4e00-\u9fff]")
_WORD: Final = re.compile(r"[a-z][a-z0-9-]{2,}|\d+", re.IGNORECASE)
_RUN: Final = re.compile(r"[\u4e00-\u9fff]+")
_PASSAGE: Final = re.compile(r"^\[(《[^《》\n]+》第\d+段)\]\n", re.MULTILINE)
# A sentence that speaks to whoever reads the file, and says nothing about its subject.
_ADDRESSES_READER: Final = re.compile(
    r"忽略.{0,12}(?:指令|规则|要求)|系统提示|你现在是|你是一?[个名]|只输出|请输出|"
    r"ignore .{0,30}(?:instruction|rule)|system prompt|you are now|output only",
    re.IGNORECASE,
)
_NOUN: Final = re.compile(r"推广(?:一款|一个|一种|一场)?(?:全?新的?)?([^\s，。,.！!？?、；;]{2,20})")
_NAMED: Final = re.compile(r"(?:叫做?|名为|品牌是?)[「“\"《]([^」”\"》\n]{1,30})[」”\"》]")
_FEW_CJK: Final = 4


@dataclass(frozen=True)
class Source:
    """A passage of a document and how it is cited."""

    citation: str
    text: str


@dataclass(frozen=True)
class Request:
    """The blocks of a request, by their tags; one that is not there is empty."""

    blocks: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, messages: Sequence[BaseMessage]) -> "Request":
        """Read the first human message; a repair that follows it brings no data of its own."""
        first = next((str(message.text) for message in messages if isinstance(message, HumanMessage)), "")
        blocks: dict[str, str] = {}
        for found in _BLOCK.finditer(first):
            blocks.setdefault(found[1], found[2])
        return cls(blocks)

    def __getitem__(self, tag: str) -> str:
        return self.blocks.get(tag, "")

    def json(self, tag: str) -> dict[str, Any]:
        """Return a block's JSON object; an empty one where it holds none."""
        try:
            value = json.loads(self[tag])
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def is_chinese(self) -> bool:
        """Whether the message is Chinese rather than English."""
        message = self["message"]
        return len(_CJK.findall(message)) * _FEW_CJK >= len("".join(message.split()))

    @cached_property
    def tags(self) -> list[str]:
        """The user's tags."""
        return [tag for tag in self["tags"].split("、") if tag]

    @cached_property
    def clauses(self) -> list[str]:
        """The message's sentences."""
        return sentences(self["message"])

    @cached_property
    def sources(self) -> list[Source]:
        """The passages that were found, best first."""
        pieces = _PASSAGE.split(self["passages"])
        return [Source(*pair) for pair in zip(pieces[1::2], pieces[2::2], strict=False)]

    @cached_property
    def filenames(self) -> list[str]:
        """The names of the session's documents, without their endings."""
        found = re.findall(r'"filename": "((?:[^"\\]|\\.)*)"', self["documents"])
        return [name.rpartition(".")[0] or name for name in found]

    @cached_property
    def brand(self) -> str:
        """The brand that the message names, or the session remembers."""
        found = labelled(self["message"], "品牌", "brand") or _first(_NAMED, self["message"])
        return found or str(self.json("memory").get("brand") or "")

    @cached_property
    def product(self) -> str:
        """The product that the message names, or the session remembers."""
        found = labelled(self["message"], "产品", "product") or _first(_NOUN, self["message"])
        return found or str(self.json("memory").get("product") or "")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text without space around them; line breaks end them too."""
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip(" \t-*•。")]


def tellable(text: str) -> list[str]:
    """Return the sentences of a document that say something about its subject."""
    return [
        sentence.lstrip("# ")
        for sentence in sentences(text)
        if not _ADDRESSES_READER.search(sentence) and not sentence.startswith("#")
    ]


def words(text: str) -> set[str]:
    """Return the words of a text: English ones, figures, and pairs of Chinese characters."""
    pairs = (run[place : place + 2] for run in _RUN.findall(text) for place in range(max(1, len(run) - 1)))
    return {word.lower() for word in _WORD.findall(text)} | set(pairs)


def labelled(text: str, *labels: str) -> str:
    """Return what stands on a line after one of the labels and a colon."""
    found = re.search(rf"^\s*(?:{'|'.join(labels)})\s*[:：]\s*([^\n，,。]{{1,60}})", text, re.IGNORECASE | re.MULTILINE)
    return found[1].strip() if found else ""


def clip(text: str, length: int) -> str:
    """Return a text on one line, cut at `length` characters."""
    plain = " ".join(text.split())
    return plain if len(plain) <= length else plain[: length - 1].rstrip("，。,. ") + "…"


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1].strip() if found else ""
