"""What deep chat's nodes read and write, for one owner: the SQL behind their Protocols."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import structlog
from psycopg.rows import DictRow

from core.clock import Clock
from core.errors import ModelFailed, NotFound
from core.ids import IdSource
from db.database import Database, acting_for
from nodes.common.attempts import retried
from nodes.meta_workflow.records import BEGINNING, DocumentOutline, Passage
from providers.embeddings import Embedder
from providers.usage import Usage
from server.chat.repository import documents, messages, sessions, vectors
from server.chat.repository.sessions import Connection, Session
from server.metrics import count_model_calls
from tools.documents.ranking import fused

log = structlog.get_logger(__name__)

# How many times as many as are wanted each ranking names, for the other to choose from.
_DEPTH: Final = 4
_LONGEST_QUERY: Final = 2_000
# A vendor that is slow must not hold the answer up: there is full text.
_PATIENCE_SECONDS: Final = 5.0


class SessionDocuments:
    """`nodes.meta_workflow.records.Documents` on the sessions of one owner.

    Full text finds passages; where a model embeds documents, their vectors do so too, and the rankings are fused.
    """

    def __init__(self, database: Database, owner_id: UUID, embedder: Embedder | None = None) -> None:
        self._database = database
        self._owner_id = owner_id
        self._embedder = embedder

    async def outline(self, session_id: str) -> list[DocumentOutline]:
        """Return the session's documents in the order of their upload; none for an unknown session."""
        if (wanted := _id(session_id)) is None:
            return []
        async with acting_for(self._database.pool, self._owner_id) as connection:
            rows = await documents.outline(connection, wanted, BEGINNING)
        return [DocumentOutline(**row | {"document_id": str(row.pop("id"))}) for row in rows]  # type: ignore[typeddict-item]

    async def search(self, session_id: str, query: str, limit: int = 6) -> list[Passage]:
        """Return the passages that fit the query, best first."""
        if (wanted := _id(session_id)) is None:
            return []
        if self._embedder is not None:
            rows = await self._search_both(self._embedder, wanted, query, limit)
        else:
            async with acting_for(self._database.pool, self._owner_id) as connection:
                rows = await documents.search(connection, wanted, query, limit)
        return [Passage(**row | {"document_id": str(row["document_id"])}) for row in rows]  # type: ignore[typeddict-item]

    async def _search_both(self, embedder: Embedder, session_id: UUID, query: str, limit: int) -> list[DictRow]:
        vector = await self._vector(embedder, query)
        async with acting_for(self._database.pool, self._owner_id) as connection:
            by_words = await documents.search(connection, session_id, query, limit * _DEPTH)
            by_meaning = (
                await vectors.nearest(connection, session_id, embedder.name, vector, limit * _DEPTH) if vector else []
            )
        rows = {_place(row): row for row in (*by_meaning, *by_words)}
        # Scores of the fusion, also where there is one ranking only: the caller compares them over several queries.
        best = fused([_place(row) for row in by_words], [_place(row) for row in by_meaning])
        return [rows[place] | {"score": score} for place, score in best[:limit]]

    async def _vector(self, embedder: Embedder, query: str) -> list[float] | None:
        """Embed a query; None where that did not work in time: full text finds passages too."""
        if not query.strip():
            return None
        calls: list[Usage] = []
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await retried(lambda: embedder.question(query[:_LONGEST_QUERY], calls), embedder.max_attempts)
        except (ModelFailed, TimeoutError) as error:
            log.warning("query_not_embedded", error=type(error.__cause__ or error).__name__)
            return None
        finally:
            count_model_calls(calls)
            async with acting_for(self._database.pool, self._owner_id) as connection:
                await vectors.note(connection, self._owner_id, calls)


def _place(row: DictRow) -> tuple[UUID, int]:
    return row["document_id"], row["position"]


class SessionRecords:
    """`nodes.meta_workflow.records.ChatRecords` on the sessions of one owner."""

    def __init__(
        self,
        database: Database,
        owner_id: UUID,
        settle: Callable[[], Awaitable[None]],
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._database = database
        self._owner_id = owner_id
        self._settle = settle
        self._clock = clock
        self._ids = ids

    async def save_turn(
        self, session_id: str, turn_id: str, *, message: str, answer: dict[str, Any], memory: dict[str, Any]
    ) -> None:
        """Store a turn's answer and the session's memory; the same turn again replaces its answer.

        Raises:
            NotFound: the session was purged in the meantime.
        """
        # A run that has lost its thread to another process must not change the session any more.
        await self._settle()
        wanted = _id(session_id)
        async with acting_for(self._database.pool, self._owner_id) as connection:
            session = await sessions.find(connection, wanted, self._owner_id, lock=True) if wanted else None
            if session is None:
                raise NotFound("会话不存在")
            await self._save(connection, session, turn_id, message, answer)
            await sessions.remember(connection, session.id, memory)

    async def _save(
        self, connection: Connection, session: Session, saved_turn: str, message: str, answer: dict[str, Any]
    ) -> None:
        now = self._clock.now()
        text = str(answer.get("response") or "")
        question = await messages.latest(connection, session)
        if question is not None and not question.is_answered:
            turn_id = question.turn_id
        elif await messages.replace_answer(connection, session, saved_turn, text, answer):
            return
        else:
            # A run that was started through the protocol, past the family's endpoints.
            turn_id = self._ids.uuid()
            await messages.insert_question(
                connection, session, turn_id, mode="deep", content=message, tags=(), idempotency=None, at=now
            )
        await messages.insert_answer(
            connection, session, turn_id, mode="deep", content=text, answer=answer, saved_turn=saved_turn, at=now
        )


def _id(session_id: str) -> UUID | None:
    """Return a session's id; None for a conversation that is stored nowhere."""
    try:
        return UUID(session_id)
    except ValueError:
        return None
