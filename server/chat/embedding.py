"""Documents get their vectors after their upload, in the background, where a model of the role `embed` is configured.

The vectors that are missing are the list of what is to be done: after a crash, a failure, an upload without a worker or
a change of the model, the next look finds them. Until then full text finds the pieces alone.
"""

import asyncio
from typing import Final

import structlog
from psycopg.errors import ForeignKeyViolation

from core.clock import Clock
from core.errors import ModelFailed
from core.tasks import end, wait_at_most
from db.database import Database, Pool, acting_for
from nodes.common.attempts import retried
from providers.embeddings import Embedder
from providers.usage import Usage
from server.chat.repository import vectors
from server.chat.repository.vectors import Unembedded
from server.metrics import count_model_calls

log = structlog.get_logger(__name__)

EMBED_JOB: Final = "embed_documents"
_LOOK_SECONDS: Final = 30.0
_AT_ONCE: Final = 4
# After a failure, twice as long each time.
_FIRST_WAIT_SECONDS: Final = 30.0
_LONGEST_WAIT_SECONDS: Final = 3600.0


class DocumentEmbedding:
    """Embeds what lacks vectors, now and then and whenever it is woken.

    Args:
        system: the system role's pool; it only finds the documents.
        database: where each is worked on under its own owner.
        embedder: the model; without one there is nothing to do.
        clock: tells which sessions live.
    """

    def __init__(self, system: Pool, database: Database, embedder: Embedder | None, clock: Clock) -> None:
        self._system = system
        self._pool = database.pool
        self._embedder = embedder
        self._clock = clock
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look, in a task of its own."""
        if self._embedder is not None:
            self._task = asyncio.create_task(self._look_often(self._embedder), name="document embedding")

    async def stop(self) -> None:
        """Stop where it is; pieces that have their vectors keep them."""
        await end(self._task)
        self._task = None

    async def wake(self) -> None:
        """Look at once: a document was uploaded."""
        self._woken.set()

    async def _look_often(self, embedder: Embedder) -> None:
        while True:
            self._woken.clear()
            try:
                await self.sweep(embedder)
            except Exception as error:  # noqa: BLE001 - the database may be restarting; the next look goes on
                log.warning("document_embedding_failed", error=type(error).__name__)
            await wait_at_most(self._woken, _LOOK_SECONDS)

    async def sweep(self, embedder: Embedder) -> int:
        """Embed all that is due, some documents at once; return of how many. Several processes share the work."""
        working = (self._one_after_another(embedder) for _ in range(_AT_ONCE))
        # All come to their ends, also where one fails: none goes on beside the next sweep, or after this process's.
        ended = await asyncio.gather(*working, return_exceptions=True)
        if failures := [one for one in ended if isinstance(one, BaseException)]:
            raise failures[0]
        return sum(one for one in ended if isinstance(one, int))

    async def _one_after_another(self, embedder: Embedder) -> int:
        done = 0
        while True:
            async with self._system.connection() as connection:
                found = await vectors.claim(connection, embedder.name, self._clock.now())
            if found is None:
                return done
            await self._embed(embedder, found)
            done += 1

    async def _embed(self, embedder: Embedder, found: Unembedded) -> None:
        try:
            while await self._next(embedder, found):
                pass
        except ModelFailed as error:
            reason = type(error.__cause__).__name__
            wait = min(_FIRST_WAIT_SECONDS * 2**found.failures, _LONGEST_WAIT_SECONDS)
            log.warning("document_not_embedded", document_id=str(found.document_id), error=reason, next_seconds=wait)
            async with acting_for(self._pool, found.owner_id) as connection:
                await vectors.fail(connection, found.document_id, embedder.name, reason, wait)
        except asyncio.CancelledError:
            # The process stops: another one need not wait for the lease.
            async with acting_for(self._pool, found.owner_id) as connection:
                await vectors.give_back(connection, found.document_id)
            raise
        except ForeignKeyViolation:
            # It was purged in the meantime.
            log.info("document_gone", document_id=str(found.document_id))

    async def _next(self, embedder: Embedder, found: Unembedded) -> bool:
        """Embed the next pieces; False, and noted, where there are none left."""
        async with acting_for(self._pool, found.owner_id) as connection:
            pieces = await vectors.lacking(connection, found.document_id, embedder.name, embedder.batch)
            if not pieces:
                await vectors.finish(connection, found.document_id, embedder.name)
                return False
        calls: list[Usage] = []
        try:
            texts = [piece["text"] for piece in pieces]
            made = await retried(lambda: embedder.passages(texts, calls), embedder.max_attempts)
        finally:
            count_model_calls(calls)
            async with acting_for(self._pool, found.owner_id) as connection:
                await vectors.note(connection, found.owner_id, calls)
        async with acting_for(self._pool, found.owner_id) as connection:
            positions = [piece["position"] for piece in pieces]
            await vectors.keep(connection, found.document_id, embedder.name, positions, made)
        return True
