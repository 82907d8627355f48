"""Sessions: made, found, kept alive, listed, read (D002–D011, G37, G38, G44, K25)."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

import psycopg
import structlog

from core.errors import ColloquyError, Unavailable
from db.database import acting_for
from server.chat.access import Caller
from server.chat.errors import SessionExpired, not_in_this_mode
from server.chat.repository import messages, sessions, users
from server.chat.repository.sessions import Connection, Session
from server.chat.schemas import Created, History, HistoryMessage, Initialised, SessionItem, SessionList, Standing
from server.paging import Pagination
from server.runtime import Runtime

log = structlog.get_logger(__name__)

_THREADS: Final = UUID("8f3f2a52-6c9b-5d0e-9a4e-0d1a7b6f2c31")
_INIT_FAILED: Final = "初始化会话失败，请稍后重试。"


def thread_of(session_id: UUID) -> UUID:
    """Return the thread of a session: one for each, a version 5 UUID like the seed's (G38)."""
    return uuid5(_THREADS, str(session_id))


def parsed(session_id: str) -> UUID:
    """Read a session's id.

    Raises:
        SessionExpired: it is none; the client cannot tell that from one that is over.
    """
    try:
        return UUID(session_id)
    except ValueError:
        raise SessionExpired from None


class SessionManager:
    """The sessions of the service."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def create_session(self, owner_id: UUID, *, ttl_seconds: int | None = None) -> tuple[UUID, UUID]:
        """Make a session that lives `ttl_seconds` from each request on (D010); return its id and its thread's."""
        session_id = self._runtime.ids.uuid()
        thread_id = thread_of(session_id)
        async with acting_for(self._runtime.database.pool, owner_id) as connection:
            await sessions.insert(
                connection,
                session_id=session_id,
                owner_id=owner_id,
                thread_id=thread_id,
                ttl_seconds=ttl_seconds or self._runtime.settings.chat_session_ttl_seconds,
                at=self._runtime.clock.now(),
            )
        return session_id, thread_id

    async def init(self, caller: Caller) -> Initialised:
        """Make a user and a first session; for a login, a session of its own user (D002, D042).

        Raises:
            ColloquyError: it did not work; with the seed's sentence (D005).
        """
        try:
            user_id = str(caller.principal_id) if caller.principal_id else await self._unused_name()
            owner_id = await caller.new_owner(self._runtime.database.pool, user_id, self._runtime.clock.now())
            session_id, thread_id = await self.create_session(owner_id)
        except psycopg.OperationalError as error:
            log.exception("session_init_failed")
            raise Unavailable(_INIT_FAILED) from error
        except Exception as error:
            log.exception("session_init_failed")
            raise ColloquyError(_INIT_FAILED) from error
        return Initialised(user_id=user_id, session_id=str(session_id), thread_id=str(thread_id))

    async def _unused_name(self) -> str:
        """Return a name of the seed's form that nobody has: nobody's sessions may come to another's name (W26)."""
        while True:
            name = f"frontend_user_{int(self._runtime.clock.now().timestamp())}_{secrets.token_hex(3)}"
            if await users.find_owner(self._runtime.database.pool, name) is None:
                return name

    async def new(self, caller: Caller, user_id: str) -> Created:
        """Make another session of a user (D009, G44).

        Raises:
            Forbidden: the user is not the login's.
        """
        owner_id = await caller.new_owner(self._runtime.database.pool, caller.check(user_id), self._runtime.clock.now())
        session_id, thread_id = await self.create_session(owner_id)
        return Created(session_id=str(session_id), thread_id=str(thread_id))

    @asynccontextmanager
    async def opened(self, owner_id: UUID | None, session_id: UUID) -> AsyncIterator[tuple[Connection, Session]]:
        """Open a transaction on a living session of this owner.

        Raises:
            SessionExpired: there is none.
        """
        if owner_id is None:
            raise SessionExpired
        async with acting_for(self._runtime.database.pool, owner_id) as connection:
            yield connection, self._alive(await sessions.find(connection, session_id, owner_id))

    @asynccontextmanager
    async def held(self, owner_id: UUID | None, session_id: UUID) -> AsyncIterator[tuple[Connection, Session]]:
        """Open a transaction that holds a living session of this owner.

        Raises:
            SessionExpired: there is none.
        """
        if owner_id is None:
            raise SessionExpired
        async with acting_for(self._runtime.database.pool, owner_id) as connection:
            yield connection, self._alive(await sessions.find(connection, session_id, owner_id, lock=True))

    async def hold(self, connection: Connection, session: Session) -> Session:
        """Keep others from changing a session until the transaction ends; return it as it is now.

        Raises:
            SessionExpired: it is over meanwhile.
        """
        return self._alive(await sessions.find(connection, session.id, session.owner_id, lock=True))

    def _alive(self, session: Session | None) -> Session:
        if session is None or not session.lives(self._runtime.clock.now()):
            raise SessionExpired
        return session

    async def listed(self, caller: Caller, *, page: int, page_size: int) -> SessionList:
        """Return a page of the login's own sessions.

        Raises:
            NotFound: there is no login; a list would hand out capabilities.
        """
        if caller.principal_id is None:
            raise not_in_this_mode()
        async with acting_for(self._runtime.database.pool, caller.principal_id) as connection:
            rows, total = await sessions.page(
                connection,
                caller.principal_id,
                self._runtime.clock.now(),
                limit=page_size,
                offset=(page - 1) * page_size,
            )
        items = [SessionItem(session_id=str(row.pop("id")), thread_id=str(row.pop("thread_id")), **row) for row in rows]
        return SessionList(sessions=items, pagination=Pagination.of(page, page_size, total))

    async def history(
        self, caller: Caller, session_id: str, user_id: str | None, *, page: int, page_size: int
    ) -> History:
        """Return a page of what was said in a session of the caller's.

        Raises:
            SessionExpired: there is no such session of his.
        """
        owner_id = await caller.owner(self._runtime.database.pool, user_id)
        async with self.held(owner_id, parsed(session_id)) as (connection, session):
            await sessions.slide(connection, session, self._runtime.clock.now())
            rows, total = await messages.page(connection, session, limit=page_size, offset=(page - 1) * page_size)
            standing = await sessions.standing(connection, session.thread_id)
        status: Standing = "idle"
        if session.is_leased or standing.is_running:
            status = "answering"
        elif standing.waits:
            status = "awaiting_decision"
        return History(
            session_id=str(session.id),
            status=status,
            messages=[_message(**row) for row in rows],
            pagination=Pagination.of(page, page_size, total),
        )


def _message(
    *, number: int, role: str, content: str, mode: str, tags: list[str], answer: Any, created_at: datetime
) -> HistoryMessage:
    parts = {name: answer.get(name) for name in ("thinking_process", "content_sections", "intent")} if answer else {}
    return HistoryMessage.model_validate(
        {"number": number, "role": role, "content": content, "mode": mode, "created_at": created_at}
        | ({"tags": tags} if tags else {})
        | parts
    )
