"""The cache of threads' newest checkpoints: by fence, within its bytes."""

from typing import Any
from uuid import UUID, uuid4

from langgraph.checkpoint.base import empty_checkpoint

from checkpoints.heads import Head, HeadCache, LongList
from checkpoints.lists import Prints, Stored, fingerprints
from checkpoints.rows import Typed


def head(size: int = 0, **lists: LongList) -> Head:
    return Head(empty_checkpoint(), {}, None, {"x": Typed("bytes", b"x" * size)}, dict(lists))


def test_only_the_next_fence_gets_it_and_once() -> None:
    cache, thread = HeadCache(), uuid4()
    kept = head()
    cache.keep(thread, 4, kept)
    assert cache.take(thread, 6) is None
    assert cache.take(thread, 5) is None
    cache.keep(thread, 4, kept)
    assert cache.take(thread, 5) is kept
    assert cache.take(thread, 5) is None


def test_the_least_recently_used_are_dropped() -> None:
    cache = HeadCache(most_bytes=10_000)
    threads = [UUID(int=number) for number in range(4)]
    for thread in threads:
        cache.keep(thread, 1, head(1_500))
    found = [cache.take(thread, 2) is not None for thread in threads]
    assert found == [False, False, True, True]
    cache.keep(threads[0], 1, head(20_000))
    assert cache.take(threads[0], 2) is None


def test_a_change_in_place_spoils_a_list() -> None:
    items: list[Any] = [{"text": "a"}]
    long = LongList(items, fingerprints(items) or Prints([], []), Stored(2), 10)
    assert long.is_unchanged()
    items[0]["text"] = "b"
    assert not long.is_unchanged()


def test_what_did_not_change_is_taken_over() -> None:
    items = [1]
    long = LongList(items, fingerprints(items) or Prints([], []), Stored(2), 10)
    before = head(3, messages=long)
    after = Head(empty_checkpoint(), {}, None, {"y": Typed("bytes", b"")})
    joined = after.after(before, {"x", "y", "messages"})
    assert joined is not None
    assert (set(joined.blobs), set(joined.lists)) == ({"x", "y"}, {"messages"})
    assert after.after(before, {"unknown", "y"}) is None
    assert after.after(None, {"y"}) == after
    short = Head(empty_checkpoint(), {}, None, {"messages": Typed("msgpack", b"")}).after(before, {"messages"})
    assert short is not None
    assert (set(short.blobs), set(short.lists)) == ({"messages"}, set())
