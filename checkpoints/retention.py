"""What of a thread's checkpoints may go: the old ones, with the values and pending writes that no other one names."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from langgraph.checkpoint.postgres.base import PRUNE_DELTA_THREADS_SQL
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from checkpoints import lists

Connection = AsyncConnection[DictRow]

MOST_ROWS: Final = 500
"""How many rows of a kind one call deletes."""

_GREGORIAN: Final = datetime(1582, 10, 15, tzinfo=UTC)
_TICKS_A_SECOND: Final = 10_000_000


@dataclass(frozen=True)
class Keep:
    """What of a thread stays: this many checkpoints of the graph, none from before an instant; None: no such limit."""

    newest: int | None
    since: datetime | None


def first_id_at(moment: datetime) -> str:
    """Return what sorts before the ids of all checkpoints made from an instant on: they are UUIDs of version 6."""
    elapsed = moment - _GREGORIAN
    ticks = (elapsed.days * 86_400 + elapsed.seconds) * _TICKS_A_SECOND + elapsed.microseconds * 10
    return str(UUID(int=(ticks >> 12) << 80 | 6 << 76 | (ticks & 0xFFF) << 64))


async def exceeding(connection: Connection, thread_ids: Sequence[UUID], keep: Keep) -> list[UUID]:
    """Return the threads that have more, or older, checkpoints of the graph than are to be kept."""
    cursor = await connection.execute(
        """
        SELECT thread.id FROM unnest(%(threads)s::uuid[]) AS thread(id)
        WHERE (%(newest)s::int IS NOT NULL AND EXISTS (
            SELECT FROM checkpoints.checkpoints WHERE thread_id = thread.id::text AND checkpoint_ns = ''
            ORDER BY checkpoint_id DESC OFFSET %(newest)s::int))
          OR (%(since)s::text IS NOT NULL AND EXISTS (
            SELECT FROM checkpoints.checkpoints
            WHERE thread_id = thread.id::text AND checkpoint_ns = '' AND checkpoint_id < %(since)s::text))
        """,
        {
            "threads": list(thread_ids),
            "newest": keep.newest,
            "since": None if keep.since is None else first_id_at(keep.since),
        },
    )
    return [row["id"] for row in await cursor.fetchall()]


async def oldest_kept(connection: Connection, thread_id: UUID, keep: Keep) -> str | None:
    """Return the id of the oldest of the graph's checkpoints that stay; None where nothing is to be deleted.

    The newest one always stays. A thread with a DeltaChannel keeps all: its values are spread over the checkpoints
    since the last snapshot.
    """
    thread = str(thread_id)
    cursor = await connection.execute(
        """
        SELECT max(checkpoint_id) AS head, (
          SELECT checkpoint_id FROM checkpoints.checkpoints WHERE thread_id = %(thread)s AND checkpoint_ns = ''
          ORDER BY checkpoint_id DESC OFFSET greatest(%(newest)s::int, 1) - 1 LIMIT 1) AS nth
        FROM checkpoints.checkpoints WHERE thread_id = %(thread)s AND checkpoint_ns = ''
        """,
        {"thread": thread, "newest": keep.newest},
    )
    row = await cursor.fetchone()
    if row is None or row["head"] is None:
        return None
    limits = [] if keep.newest is None or row["nth"] is None else [str(row["nth"])]
    limits += [] if keep.since is None else [first_id_at(keep.since)]
    if not limits:
        return None
    cursor = await connection.execute(PRUNE_DELTA_THREADS_SQL, ([thread], [thread]))
    if await cursor.fetchone() is not None:
        return None
    return min(str(row["head"]), max(limits))


async def delete_before(connection: Connection, thread_id: UUID, oldest: str) -> Counter[str]:
    """Delete some of what is older than a checkpoint that stays, and of what no checkpoint names any more.

    The caller's transaction holds the thread's row, and no run of the thread is unfinished: nobody writes meanwhile.
    A subgraph that remembers over its calls (no `:` in its namespace) keeps its newest checkpoint, however old.

    Returns:
        How many rows went, by kind; a kind with `MOST_ROWS` has more to delete.
    """
    thread = str(thread_id)
    cursor = await connection.execute(_CHECKPOINTS, {"thread": thread, "oldest": oldest, "most": MOST_ROWS})
    gone = await cursor.fetchall()
    deleted: Counter[str] = Counter(checkpoints=len(gone))
    if gone:
        places = [[row["checkpoint_ns"] for row in gone], [row["checkpoint_id"] for row in gone]]
        cursor = await connection.execute(_WRITES, (*places, thread))
        deleted["writes"] = cursor.rowcount
        await connection.execute(_PARENTS, (*places, thread))
    cursor = await connection.execute(_BLOBS, {"thread": thread, "most": MOST_ROWS})
    deleted["blobs"] = cursor.rowcount
    deleted["items"] = await delete_unnamed_items(connection, thread)
    return deleted


async def delete_unnamed_items(connection: Connection, thread: str) -> int:
    """Delete some of the list items that no version of their list names; return how many."""
    cursor = await connection.execute(
        "SELECT checkpoint_ns, channel, blob FROM checkpoints.checkpoint_blobs WHERE thread_id = %s AND type = %s",
        (thread, lists.TYPE),
    )
    named: dict[tuple[str, str], list[lists.Span]] = {}
    for row in await cursor.fetchall():
        named.setdefault((row["checkpoint_ns"], row["channel"]), []).extend(lists.unpack(row["blob"]))
    spans = [(*place, *span) for place, found in named.items() for span in lists.union(found)]
    columns: list[list[Any]] = [list(column) for column in zip(*spans, strict=True)] or [[], [], [], []]
    cursor = await connection.execute(_ITEMS, (*columns, thread, MOST_ROWS, thread))
    return cursor.rowcount


_CHECKPOINTS: Final = """
WITH old AS (
  SELECT checkpoint_ns, checkpoint_id FROM checkpoints.checkpoints AS c
  WHERE thread_id = %(thread)s AND checkpoint_id < %(oldest)s
    AND (position(':' IN checkpoint_ns) > 0 OR checkpoint_id < (
      SELECT max(newer.checkpoint_id) FROM checkpoints.checkpoints AS newer
      WHERE newer.thread_id = c.thread_id AND newer.checkpoint_ns = c.checkpoint_ns))
  ORDER BY checkpoint_id LIMIT %(most)s)
DELETE FROM checkpoints.checkpoints AS c USING old
WHERE c.thread_id = %(thread)s AND c.checkpoint_ns = old.checkpoint_ns AND c.checkpoint_id = old.checkpoint_id
RETURNING c.checkpoint_ns, c.checkpoint_id
"""

_WRITES: Final = """
DELETE FROM checkpoints.checkpoint_writes AS w USING unnest(%s::text[], %s::text[]) AS gone(ns, id)
WHERE w.thread_id = %s AND w.checkpoint_ns = gone.ns AND w.checkpoint_id = gone.id
"""

# No checkpoint names a parent that is not there.
_PARENTS: Final = """
UPDATE checkpoints.checkpoints AS c SET parent_checkpoint_id = NULL
FROM unnest(%s::text[], %s::text[]) AS gone(ns, id)
WHERE c.thread_id = %s AND c.checkpoint_ns = gone.ns AND c.parent_checkpoint_id = gone.id
"""

_BLOBS: Final = """
WITH named AS MATERIALIZED (
  SELECT DISTINCT c.checkpoint_ns, v.key AS channel, v.value AS version
  FROM checkpoints.checkpoints AS c, jsonb_each_text(c.checkpoint->'channel_versions') AS v
  WHERE c.thread_id = %(thread)s),
unnamed AS (
  SELECT b.checkpoint_ns, b.channel, b.version FROM checkpoints.checkpoint_blobs AS b
  WHERE b.thread_id = %(thread)s
    AND (b.checkpoint_ns, b.channel, b.version) NOT IN (SELECT checkpoint_ns, channel, version FROM named)
  LIMIT %(most)s)
DELETE FROM checkpoints.checkpoint_blobs AS b USING unnamed AS u
WHERE b.thread_id = %(thread)s AND b.checkpoint_ns = u.checkpoint_ns AND b.channel = u.channel AND b.version = u.version
"""

_ITEMS: Final = """
WITH named AS MATERIALIZED (
  SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]) AS s(ns, channel, first, last)),
unnamed AS (
  SELECT i.checkpoint_ns, i.channel, i.seq FROM checkpoints.list_items AS i
  WHERE i.thread_id = %s AND NOT EXISTS (
    SELECT FROM named AS s
    WHERE s.ns = i.checkpoint_ns AND s.channel = i.channel AND i.seq BETWEEN s.first AND s.last)
  LIMIT %s)
DELETE FROM checkpoints.list_items AS i USING unnamed AS u
WHERE i.thread_id = %s AND i.checkpoint_ns = u.checkpoint_ns AND i.channel = u.channel AND i.seq = u.seq
"""
