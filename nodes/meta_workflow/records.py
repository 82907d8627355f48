"""What deep chat reads and writes outside of its state: a session's documents, and its turns."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from typing_extensions import TypedDict

BEGINNING: Final = 200
_PARAGRAPH: Final = re.compile(r"\n\s*\n")
_WORD: Final = re.compile(r"[a-z0-9]+", re.IGNORECASE)
_IDEOGRAPHS: Final = re.compile(r"[\u4e00-\u9fff]+")


class DocumentOutline(TypedDict):
    """A document of a session: its length in characters and its first 200."""

    document_id: str
    filename: str
    characters: int
    beginning: str


class Passage(TypedDict):
    """A piece of a document; `position` counts from 1, a higher `score` is better."""

    document_id: str
    filename: str
    position: int
    text: str
    score: float


class Documents(Protocol):
    """The documents of one owner's sessions (G39)."""

    async def outline(self, session_id: str) -> list[DocumentOutline]:
        """Return the session's documents, in the order they were uploaded; none for an unknown session."""
        ...

    async def search(self, session_id: str, query: str, limit: int = 6) -> list[Passage]:
        """Return the passages that fit the query, best first."""
        ...


class ChatRecords(Protocol):
    """The turns and the memory of one owner's sessions (G36)."""

    async def save_turn(
        self, session_id: str, turn_id: str, *, message: str, answer: dict[str, Any], memory: dict[str, Any]
    ) -> None:
        """Store a turn and the session's memory.

        The same turn again replaces its answer: a draft that waits for a decision is stored, and later what became of
        it. What the run has committed so far is settled first.
        """
        ...


class InMemoryDocuments:
    """Documents in this process, for Studio and for tests: paragraphs, ranked by the words they share with a query."""

    def __init__(self, documents: Mapping[str, Sequence[tuple[str, str]]] | None = None) -> None:
        self._documents = {session: list(given) for session, given in (documents or {}).items()}

    async def outline(self, session_id: str) -> list[DocumentOutline]:
        """Return the session's documents; a document's id is its number."""
        return [
            DocumentOutline(
                document_id=str(number), filename=filename, characters=len(text), beginning=text[:BEGINNING]
            )
            for number, (filename, text) in enumerate(self._documents.get(session_id, []), 1)
        ]

    async def search(self, session_id: str, query: str, limit: int = 6) -> list[Passage]:
        """Return the passages that share words with the query, best first."""
        return await asyncio.to_thread(self._found, self._documents.get(session_id, []), query, limit)

    @staticmethod
    def _found(documents: Iterable[tuple[str, str]], query: str, limit: int) -> list[Passage]:
        wanted = _words(query)
        passages = [
            Passage(
                document_id=str(number),
                filename=filename,
                position=position,
                text=text,
                score=len(wanted & _words(text)) / (len(wanted) or 1),
            )
            for number, (filename, whole) in enumerate(documents, 1)
            for position, text in enumerate(filter(None, map(str.strip, _PARAGRAPH.split(whole))), 1)
        ]
        # A filename that fits says that its paragraphs do, a little.
        fitting = [passage for passage in passages if passage["score"] or wanted & _words(passage["filename"])]
        return sorted(fitting, key=lambda passage: -passage["score"])[:limit]


class InMemoryChatRecords:
    """Turns in this process, by session and turn."""

    def __init__(self) -> None:
        self.turns: dict[tuple[str, str], dict[str, Any]] = {}
        self.memories: dict[str, dict[str, Any]] = {}

    async def save_turn(
        self, session_id: str, turn_id: str, *, message: str, answer: dict[str, Any], memory: dict[str, Any]
    ) -> None:
        """Keep a turn and the session's memory; the same turn again replaces its answer."""
        self.turns[session_id, turn_id] = {"message": message, "answer": answer}
        self.memories[session_id] = memory


def _words(text: str) -> set[str]:
    pairs = (run[place : place + 2] for run in _IDEOGRAPHS.findall(text) for place in range(max(1, len(run) - 1)))
    return {word.lower() for word in _WORD.findall(text)} | set(pairs)
