"""What the counseling workflows read and write, for one student: the SQL behind their Protocol."""

from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import UUID

from core.clock import Clock, render_milliseconds
from core.errors import Conflict, NotFound
from db.database import Database
from db.models.counseling import CounselingSession
from nodes.counseling.records import Finalized, Homework, Line, Memory, SessionContext, no_memory
from server.counseling import record_repository, repository
from server.metrics import FINALIZE_FALLBACKS

Settle = Callable[[], Awaitable[None]]


class SessionRecords:
    """`nodes.counseling.records.CounselingRecords` on the sessions of one student."""

    def __init__(self, database: Database, owner_id: UUID, settle: Settle, clock: Clock) -> None:
        self._database = database
        self._owner_id = owner_id
        self._settle = settle
        self._clock = clock

    async def context(self, session_id: str) -> SessionContext:
        """Return what is known of a session.

        Raises:
            NotFound: there is no such session of this student.
        """
        id_ = _id(session_id)
        async with self._database.transaction(self._owner_id) as session:
            found = await repository.read(session, id_)
            if found is None:
                raise _no_such()
            name, persona, memory = await record_repository.visitor(session, found.visitor_instance_id)
            before = await record_repository.session_before(session, found)
            version = await record_repository.version(session, id_)
            if version is not None:
                # What the visitor remembers already holds this session.
                memory = await record_repository.memory_before(session, found) or dict(no_memory())
        context = SessionContext(
            session_number=found.session_number,
            chat=[Line(speaker=line["speaker"], content=line["content"]) for line in found.chat_history],
            persona=persona,
            visitor_name=name,
            memory=cast("Memory", memory),
            last_activity=before.pre_session_activity if before else None,
            last_diary=(before.session_diary or "") if before else "",
            homework=[cast("Homework", one) for one in before.homework] if before else [],
        )
        if found.finalized_at is not None:
            context["remake" if found.remaking else "finalized"] = _finalized(found, version)
        return context

    async def save_diary(self, session_id: str, diary: str) -> None:
        """Store the session's diary, in place of an earlier one."""
        await self._save(session_id, session_diary=diary)

    async def save_activity(self, session_id: str, activity: dict[str, Any]) -> None:
        """Store the report of the week after the session, in place of an earlier one."""
        await self._save(session_id, pre_session_activity=activity)

    async def save_memory(self, session_id: str, memory: Memory) -> None:
        """Store what the visitor remembers, and one version of it for this session (E022, G50)."""
        await self._settle()
        async with self._database.transaction(self._owner_id) as session:
            found = await repository.read(session, _id(session_id))
            if found is None:
                raise _no_such()
            await record_repository.save_memory(session, found, dict(memory), self._clock.now())

    async def finish(self, session_id: str, homework: list[Homework], fallbacks: list[str]) -> None:
        """Store the homework and that the session is finalised, once."""
        await self._settle()
        async with self._database.transaction(self._owner_id) as session:
            written = await record_repository.finish(
                session, _id(session_id), [dict(one) for one in homework], list(fallbacks), self._clock.now()
            )
        if written is None:
            raise _no_such()
        if written:
            for name in fallbacks:
                FINALIZE_FALLBACKS.labels(name).inc()

    async def append_reply(self, session_id: str, key: str, content: str) -> None:
        """Append the visitor's answer, unless one was appended under this key.

        Raises:
            Conflict: the session was finalised meanwhile.
            NotFound: it was deleted meanwhile.
        """
        await self._settle()
        line = {
            "speaker": "ai",
            "content": content,
            "timestamp": render_milliseconds(self._clock.now()),
            "source": "server",
            "key": key,
        }
        id_ = _id(session_id)
        if await repository.append(self._database.pool, self._owner_id, id_, line, key=key):
            return
        async with self._database.transaction(self._owner_id) as session:
            found = await repository.read(session, id_)
        if found is None:
            raise _no_such()
        if not any(one.get("key") == key for one in found.chat_history):
            raise Conflict("会话已结束", code="session_finalized")

    async def _save(self, session_id: str, **values: Any) -> None:
        # A run that has lost its thread to another process must not change the session any more.
        await self._settle()
        async with self._database.transaction(self._owner_id) as session:
            if not await record_repository.save(session, _id(session_id), values):
                raise _no_such()


def _finalized(found: CounselingSession, version: dict[str, Any] | None) -> Finalized:
    return Finalized(
        diary=found.session_diary or "",
        activity=found.pre_session_activity or {},
        ltm=cast("Memory", version or no_memory()),
        fallbacks=found.fallbacks,
    )


def _no_such() -> NotFound:
    return NotFound("会话不存在")


def _id(session_id: str) -> UUID:
    try:
        return UUID(session_id)
    except ValueError:
        raise _no_such() from None
