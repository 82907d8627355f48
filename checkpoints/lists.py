"""Long lists of a state, such as a conversation's messages: each item is stored once, a version names ranges of them.

Whole lists would be written again at each step, so that a conversation grew on disk with the square of its length.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from secrets import randbits
from typing import Any, Final, NamedTuple

import orjson
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
)
from xxhash import xxh3_128_intdigest

LONG: Final = 32
"""Lists of fewer items are stored whole: that is smaller, and one row."""
TYPE: Final = "items"
"""What the blob of a list says of itself, in place of a serializer's name."""

# One look at a block costs about half of one at each of its items.
_BLOCK: Final = 32
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS
# Nobody can write two messages that this process takes for one. Python's own hash takes ten times as long.
_SEED: Final = randbits(64)
# Whether an object is of an abstract class is a call.
_MESSAGES: Final = frozenset(
    {AIMessage, AIMessageChunk, HumanMessage, HumanMessageChunk, SystemMessage, SystemMessageChunk, ToolMessage}
)


class Span(NamedTuple):
    """Items with consecutive numbers, both ends included."""

    first: int
    last: int


@dataclass(frozen=True)
class Prints:
    """A number for each item, and one for each block of them, that change when an item does, in place too."""

    each: list[int]
    blocks: list[int]
    json: list[bytes] = field(compare=False, default_factory=list)
    """The blocks as JSON arrays; what clients are told of them."""

    def alone(self) -> "Prints":
        """Return them without the JSON, which is too much to keep."""
        return replace(self, json=[])


def fingerprints(items: Sequence[Any], known: Prints | None = None) -> Prints | None:
    """Return what tells whether items have changed; None when some of them have no form in JSON.

    Args:
        items: messages, and what JSON can hold.
        known: of an earlier version: the numbers of items in blocks that are still the same are taken over.
    """
    found = Prints([], [])
    try:
        for block, first in enumerate(range(0, len(items), _BLOCK)):
            part = items[first : first + _BLOCK]
            # Without a call for each message: most of them are plain.
            text = orjson.dumps(
                [
                    item.__dict__ if type(item) in _MESSAGES and not item.__pydantic_extra__ else _essence(item)
                    for item in part
                ],
                None,
                _OPTIONS,
            )
            mark = _mark(text, part)
            if known is not None and block < len(known.blocks) and known.blocks[block] == mark:
                found.each.extend(known.each[first : first + _BLOCK])
            else:
                found.each.extend(_mark(orjson.dumps(_essence(item), None, _OPTIONS), [item]) for item in part)
            found.blocks.append(mark)
            found.json.append(text)
    except TypeError:
        return None
    return found


def _mark(text: bytes, items: Iterable[Any]) -> int:
    # Items of other classes may look alike in JSON.
    return hash((xxh3_128_intdigest(text, _SEED), *map(type, items)))


def as_json(blocks: Sequence[bytes]) -> bytes:
    """Return the whole list, from its blocks."""
    return b"[" + b",".join(block[1:-1] for block in blocks) + b"]"


def _essence(item: Any) -> Any:
    """Return an item as clients are told of it; see `server.runs.encode`."""
    if isinstance(item, BaseMessage):
        return {**item.__dict__, **item.__pydantic_extra__} if item.__pydantic_extra__ else item.__dict__
    return item


def pack(numbers: list[int]) -> bytes:
    """Return the blob of a list: its items' numbers, in the list's order."""
    spans: list[list[int]] = []
    # Most lists have only ever grown.
    if numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return orjson.dumps([[numbers[0], numbers[-1]]])
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return orjson.dumps(spans)


def unpack(blob: bytes) -> list[Span]:
    """Return what `pack` was given, in spans."""
    return [Span(*span) for span in orjson.loads(blob)]


def numbers_of(spans: Iterable[Span]) -> list[int]:
    """Return each number of the spans."""
    return [number for span in spans for number in range(span.first, span.last + 1)]


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the fewest spans that cover the same numbers."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.first <= merged[-1].last + 1:
            merged[-1] = Span(merged[-1].first, max(merged[-1].last, span.last))
        else:
            merged.append(span)
    return merged


@dataclass
class Stored:
    """What is known to be stored of one list: the items' numbers, by their fingerprints."""

    free: int
    """The next number that no item has, in any version of the list."""
    numbers: dict[int, int] = field(default_factory=dict)
    _last: tuple[list[int], list[int]] = field(default=([], []), compare=False)
    """What was placed last, and where."""

    def place(self, prints: list[int]) -> tuple[list[int], dict[int, int]]:
        """Give a version's items their numbers.

        Returns:
            The numbers in the list's order, and of the items to be stored the index by number.
        """
        last, placed = self._last
        # Where the list has only grown, its old items have their numbers.
        placed = list(placed) if prints[: len(last)] == last else []
        new: dict[int, int] = {}
        for index, fingerprint in enumerate(prints[len(placed) :], len(placed)):
            number = self.numbers.get(fingerprint)
            if number is None:
                number = self.numbers[fingerprint] = self.free
                self.free += 1
                new[number] = index
            placed.append(number)
        # What has left the list may come back, but need not be remembered for good.
        if len(self.numbers) > 2 * len(prints):
            self.numbers = dict(zip(prints, placed, strict=True))
        self._last = prints, placed
        return placed, new


FETCH: Final = """
SELECT i.thread_id, i.checkpoint_ns, i.channel, i.seq, i.type, i.blob
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[]) AS s(thread, ns, channel, first, last)
JOIN checkpoints.list_items AS i
  ON i.thread_id = s.thread AND i.checkpoint_ns = s.ns AND i.channel = s.channel AND i.seq BETWEEN s.first AND s.last
"""
Address = tuple[str, str, str]
"""Thread, namespace and channel."""


def fetch_parameters(wanted: Mapping[Address, Iterable[Span]]) -> list[list[Any]]:
    """Return the parameters of `FETCH`, which reads each item once."""
    rows = [(*address, *span) for address, spans in wanted.items() for span in union(spans)]
    return [list(column) for column in zip(*rows, strict=True)]
