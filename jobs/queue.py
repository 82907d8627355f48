"""procrastinate on the process's own pool. It knows no workflow: handlers are registered from above."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from procrastinate import App, PsycopgConnector
from psycopg import AsyncConnection

from db.database import Pool

QUEUE: Final = "runs"
Handler = Callable[..., Awaitable[None]]


class JobQueue:
    """Named handlers and the jobs that wake them.

    Jobs carry no lock: what may run at once is decided where the work's own rows are.
    """

    def __init__(self, pool: Pool) -> None:
        self.app = App(connector=PsycopgConnector())
        self._pool = pool

    async def open(self) -> None:
        """Use the process's pool; the worker's listener makes a connection of its own."""
        assert isinstance(self.app.connector, PsycopgConnector)  # noqa: S101 - made above
        await self.app.connector.open_async(self._pool)  # type: ignore[arg-type]  # differs in the row type only

    def register(self, name: str, handler: Handler) -> None:
        """Let `handler` do the jobs called `name`."""
        self.app.task(name=name, queue=QUEUE)(handler)

    async def enqueue(self, connection: AsyncConnection[Any], name: str, **arguments: str) -> None:
        """Add a job in the caller's transaction: it is there if, and only if, that commits."""
        await self.app.configure_task(name, queue=QUEUE, connection=connection).defer_async(**arguments)
