"""Long lists of a state, such as a conversation's messages: each item is stored once, a version names ranges of them.

Whole lists would be written again at each step, so that a conversation grew on disk with the square of its length.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import orjson
from langchain_core.messages import BaseMessage

LONG: Final = 32
"""Lists of fewer items are stored whole: that is smaller, and one row."""
TYPE: Final = "items"
"""What the blob of a list says of itself, in place of a serializer's name."""

# One look at a block costs about half of one at each of its items.
_BLOCK: Final = 32
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS


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
                    item.__dict__ if isinstance(item, BaseMessage) and not item.__pydantic_extra__ else _essence(item)
                    for item in part
                ],
                None,
                _OPTIONS,
            )
            mark = hash((text, *map(type, part)))
            if known is not None and block < len(known.blocks) and known.blocks[block] == mark:
                found.each.extend(known.each[first : first + _BLOCK])
            else:
                found.each.extend(hash((orjson.dumps(_essence(item), None, _OPTIONS), type(item))) for item in part)
            found.blocks.append(mark)
            found.json.append(text)
    except TypeError:
        return None
    return found


def as_json(blocks: Sequence[bytes]) -> bytes:
    """Return the whole list, from its blocks."""
    return b"[" + b",".join(block[1:-1] for block in blocks) + b"]"


def _essence(item: Any) -> Any:
    """Return an item as clients are told of it; see `server.runs.encode`."""
    if isinstance(item, BaseMessage):
        return {**item.__dict__, **item.__pydantic_extra__} if item.__pydantic_extra__ else item.__dict__
    return item


def pack(numbers: Iterable[int]) -> bytes:
    """Return the blob of a list: its items' numbers, in the list's order."""
    spans: list[list[int]] = []
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

    def place(self, prints: Sequence[int]) -> tuple[list[int], dict[int, int]]:
        """Give a version's items their numbers.

        Returns:
            The numbers in the list's order, and of the items to be stored the index by number.
        """
        placed: list[int] = []
        new: dict[int, int] = {}
        for index, fingerprint in enumerate(prints):
            number = self.numbers.get(fingerprint)
            if number is None:
                number = self.numbers[fingerprint] = self.free
                self.free += 1
                new[number] = index
            placed.append(number)
        # What has left the list may come back, but need not be remembered for good.
        if len(self.numbers) > 2 * len(prints):
            self.numbers = dict(zip(prints, placed, strict=True))
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
