"""The process's connections: one psycopg pool for the run engine, one SQLAlchemy engine for the families."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from select import POLLIN, poll
from typing import Any, Final, cast
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from db.url import for_psycopg, for_sqlalchemy, search_path_option

_RECONNECT_SECONDS: Final = 0.5

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


async def _autocommit(connection: AsyncConnection[DictRow]) -> None:
    # Not among `kwargs`: procrastinate adds its own when it makes its listener's connection from them.
    await connection.set_autocommit(True)


async def _go_on_trying(pool: Pool) -> None:
    """Begin anew with attempts to connect, where one was given up; the pool itself waits for somebody who asks."""
    await pool.check()


def _check_out(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    """Let no connection out of the engine's pool that the server has closed; it then makes another one."""
    connection = dbapi_connection.driver_connection
    if connection.closed or _was_spoken_to(connection.fileno()):
        raise DisconnectionError("The server has closed it.")


def _was_spoken_to(descriptor: int) -> bool:
    """Tell whether the server has said something on an idle connection, as it does when it closes it.

    To ask it (a ping) would take each request a round trip.
    """
    # Not select(): it takes no descriptor above 1023, and a process with many streams has them.
    waiting = poll()
    waiting.register(descriptor, POLLIN)
    return bool(waiting.poll(0))


async def _begin(connection: AsyncConnection[Any], user_id: UUID | None) -> None:
    """Begin a transaction in which a user's rows are seen, in one round trip."""
    # Several statements are possible where nothing is bound; `str` of a UUID has hexadecimal digits and dashes only.
    acting = b"" if user_id is None else b"; SELECT set_config('app.user_id', '%b', true)" % str(user_id).encode()
    await connection.execute(b"BEGIN" + acting, prepare=False)


class Database:
    """Connections to one PostgreSQL database.

    A transaction or a pooled connection is never held across a model call, a tool call or a stream.
    """

    def __init__(self, url: str, *, pool_size: int = 16) -> None:
        self.url = for_psycopg(url)
        self.pool: Pool = AsyncConnectionPool(
            self.url,
            kwargs={"row_factory": dict_row, "options": search_path_option()},
            configure=_autocommit,
            min_size=1,
            max_size=pool_size,
            open=False,
            check=self._check,
            # Its pauses double from one attempt to the next, and end with this: else a process would stay deaf for as
            # long again as PostgreSQL was away, and miss its heartbeats.
            reconnect_timeout=_RECONNECT_SECONDS,
            reconnect_failed=_go_on_trying,
        )
        self._engine = create_async_engine(
            for_sqlalchemy(url),
            pool_size=pool_size,
            max_overflow=0,
            # `_begin` begins its transactions.
            isolation_level="AUTOCOMMIT",
            # What statements carry is personal: it stays out of error messages, and so out of logs.
            hide_parameters=True,
            connect_args={"options": search_path_option()},
        )
        event.listen(self._engine.sync_engine, "checkout", _check_out)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    async def open(self) -> None:
        """Open the pools; waits for the first connection."""
        await self.pool.open(wait=True, timeout=30)

    async def close(self) -> None:
        """Close all connections."""
        await self.pool.close()
        await self._engine.dispose()

    async def _check(self, connection: AsyncConnection[DictRow]) -> None:
        """Let no connection out that the server has closed (a restart): only then has an idle one something to say."""
        if _was_spoken_to(connection.fileno()):
            try:
                await self.pool.check_connection(connection)
            except psycopg.OperationalError:
                # The others will be closed too, and who met them one by one would pause longer after each.
                await self.pool.check()
                raise

    @asynccontextmanager
    async def transaction(self, user_id: UUID | None = None) -> AsyncIterator[AsyncSession]:
        """Open a session whose transaction commits at the end of the block, or rolls back on an error.

        Args:
            user_id: whose rows it sees; without one it sees none that has an owner (the system role sees all).
        """
        async with self._sessions.begin() as session:
            connection = await (await session.connection()).get_raw_connection()
            await _begin(cast(AsyncConnection[Any], connection.driver_connection), user_id)
            yield session


@asynccontextmanager
async def acting_for(pool: Pool, user_id: UUID) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Open a transaction on a connection of the pool that sees and changes what belongs to one user."""
    # The pool's block commits, or rolls back on an error.
    async with pool.connection() as connection:
        await _begin(connection, user_id)
        yield connection
