"""What a document is read into, and why it may be refused (G39)."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal["txt", "md", "csv", "json", "docx", "pdf"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
TEXT_KINDS: Final[frozenset[Kind]] = frozenset({"txt", "md", "csv", "json"})

Refusal = Literal["unsupported", "mismatch", "broken", "encrypted", "too_large", "too_slow", "empty"]

MOST_PAGES: Final = 500
MOST_CHARACTERS: Final = 10_000_000
# A zip's files together, when they are unpacked; and how many times its own size that may be.
MOST_UNPACKED: Final = 64 * 1024 * 1024
MOST_RATIO: Final = 200
MOST_ENTRIES: Final = 2_000


@dataclass(frozen=True)
class Parsed:
    """A document's kind and its text."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Prepared:
    """A document that is ready to be kept: its length in characters, its pieces, and what each is found by."""

    kind: Kind
    characters: int
    chunks: list[str]
    indexes: list[str]


class DocumentRefused(Exception):
    """A document cannot be read; `reason` says why, in one word."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason: Refusal = reason
