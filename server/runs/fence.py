"""A transaction that a run may write in only while it holds its thread."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from checkpoints.saver import FENCE_LOST_STATE, FenceLost
from db.database import Pool, acting_for
from server.runs.model import Claim


@asynccontextmanager
async def fenced(pool: Pool, claimed: Claim) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Open a transaction that holds the thread's fence until it commits.

    Raises:
        FenceLost: another process has claimed a run on this thread since.
    """
    try:
        async with acting_for(pool, claimed.owner_id) as connection:
            await connection.execute("SELECT platform.hold_fence(%s, %s)", (claimed.thread_id, claimed.fence))
            yield connection
    except psycopg.Error as error:
        if error.sqlstate == FENCE_LOST_STATE:
            raise FenceLost from error
        raise
