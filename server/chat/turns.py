"""Accepting a message: whose session it is for, whether it may be asked now, and what is to be done (G34, G41, G42)."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from psycopg.errors import UniqueViolation

from db.database import acting_for
from nodes.meta_workflow.decisions import Decision, decision_of
from server.chat.access import Caller
from server.chat.errors import SessionExpired, key_reused, no_pending_decision, nothing_to_stream, session_busy
from server.chat.repository import messages, quick, sessions
from server.chat.repository.messages import StoredTurn
from server.chat.repository.sessions import Connection, Session, ThreadStanding
from server.chat.schemas import Mode
from server.chat.sessions import SessionManager, parsed
from server.runs.model import Idempotency
from server.runtime import Runtime

KEY_HOURS: Final = timedelta(hours=24)
REMEMBERED_TURNS: Final = 20
_DECISION_WORDS: Final[dict[Decision, str]] = {"revise": "修订", "skip": "不用"}

Work = Literal["reply", "begin", "go_on", "decide", "leave_draft", "follow"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a client asks.

    `decision` is one that was made with a button; `takes_up` says that a broken stream is taken up: the same message
    again is then no new one.
    """

    caller: Caller
    user_id: str | None
    session_id: str | None
    message: str = ""
    mode: Mode = "chat"
    tags: tuple[str, ...] = ()
    decision: Decision | None = None
    idempotency: Idempotency | None = None
    takes_up: bool = False
    streams: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is a quick message that was not sent before, as far as the request says."""
        return self.mode == "chat" and not (self.decision or self.idempotency or self.takes_up)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A message that was accepted, and what is to be done.

    `reply` answers quickly; `begin` starts a run, `go_on` takes up the one that was cut off (G41), `decide` answers the
    run that waits, and `leave_draft` does so with "skip" before it starts its own. `follow`: somebody is at it already,
    or it is done.
    """

    id: UUID
    work: Work
    mode: Mode
    session: Session
    message: str
    tags: tuple[str, ...] = ()
    decision: Decision = "skip"
    past: list[dict[str, str]] = field(default_factory=list)
    streams: bool = False
    idempotency: Idempotency | None = None

    @property
    def is_deep(self) -> bool:
        """Whether the workflow answers it, and not the fast model alone."""
        return self.mode == "deep"


class Turns:
    """Accepts messages."""

    def __init__(self, runtime: Runtime, manager: SessionManager) -> None:
        self._runtime = runtime
        self._manager = manager

    async def accept(self, asked: Asked) -> Turn:
        """Check a message and write it down; the session is the turn's from then on.

        Raises:
            SessionExpired: the session that is named is not the caller's, or over (K25).
            Conflict: another message is being answered (SESSION_BUSY), or no decision is waited for.
            InvalidInput: the idempotency key belongs to another request.
        """
        try:
            return await self._accept(asked)
        except UniqueViolation:
            # Its key came in another request at the same time, which has a session of its own: now it is known.
            return await self._accept(asked)

    async def _accept(self, asked: Asked) -> Turn:
        pool = self._runtime.database.pool
        if not asked.session_id:
            return await self._in_new_session(asked)
        session_id = parsed(asked.session_id)
        if asked.is_plain and (turn := await self._asked_quickly(asked, session_id)):
            return turn
        owner_id = await asked.caller.owner_of(pool, session_id, asked.user_id)
        async with self._manager.held(owner_id, session_id) as (connection, session):
            if known := await self._repeated(connection, asked, session):
                return known
            return await self._accepted(connection, asked, session)

    async def _asked_quickly(self, asked: Asked, session_id: UUID) -> Turn | None:
        """Accept a plain quick message in one statement; None where more has to be looked at."""
        turn_id = self._runtime.ids.uuid()
        question = await quick.ask(
            self._runtime.database.pool,
            session_id=session_id,
            principal_id=asked.caller.principal_id,
            user_id=asked.user_id,
            turn_id=turn_id,
            message=asked.message,
            past_turns=REMEMBERED_TURNS,
            at=self._runtime.clock.now(),
        )
        match question.outcome:
            case "expired":
                raise SessionExpired
            case "busy":
                raise session_busy()
        if question.session is None:
            return None
        return Turn(
            id=turn_id,
            work="reply",
            mode="chat",
            session=question.session,
            message=asked.message,
            past=list(question.past),
            streams=asked.streams,
        )

    async def _in_new_session(self, asked: Asked) -> Turn:
        """Make a session for the message (K25); sent again under its key, it is answered in the one it was given."""
        pool, now = self._runtime.database.pool, self._runtime.clock.now()
        owner_id = await asked.caller.new_owner(pool, asked.user_id, now)
        if asked.idempotency is not None:
            async with acting_for(pool, owner_id) as connection:
                stored = await messages.by_key(connection, owner_id, asked.idempotency.key)
            if stored is not None:
                async with self._manager.held(owner_id, stored.session_id) as (connection, session):
                    if known := await self._repeated(connection, asked, session):
                        return known
                    return await self._accepted(connection, asked, session)
        session_id, _thread_id = await self._manager.create_session(owner_id)
        async with self._manager.held(owner_id, session_id) as (connection, session):
            return await self._accepted(connection, asked, session)

    async def latest(self, caller: Caller, session_id: str, user_id: str | None) -> Turn:
        """Return a session's newest turn, to follow it.

        Raises:
            SessionExpired: the caller has no such session.
            NotFound: nothing was asked in it.
        """
        wanted = parsed(session_id)
        owner_id = await caller.owner(self._runtime.database.pool, user_id)
        async with self._manager.held(owner_id, wanted) as (connection, session):
            await sessions.slide(connection, session, self._runtime.clock.now())
            stored = await messages.latest(connection, session)
        if stored is None:
            raise nothing_to_stream()
        return _following(stored, session)

    async def _repeated(self, connection: Connection, asked: Asked, session: Session) -> Turn | None:
        """Return the turn that this request was given before, if it is answered or somebody is at it."""
        if asked.idempotency is not None:
            before = self._runtime.clock.now() - KEY_HOURS
            await messages.forget_old_key(connection, session.owner_id, asked.idempotency.key, before)
            stored = await messages.by_key(connection, session.owner_id, asked.idempotency.key)
            if stored is not None and (
                stored.request_sha256 != asked.idempotency.request_sha256 or stored.session_id != session.id
            ):
                raise key_reused()
        elif asked.takes_up:
            stored = await messages.latest(connection, session)
            if stored is not None and not stored.asks(asked.message, asked.mode, asked.tags):
                return None
        else:
            return None
        if stored is None:
            return None
        standing = await sessions.standing(connection, session.thread_id)
        if not (stored.is_answered or session.is_leased or standing.is_running):
            return None
        await sessions.slide(connection, session, self._runtime.clock.now())
        return _following(stored, session)

    async def _accepted(self, connection: Connection, asked: Asked, session: Session) -> Turn:
        standing = await sessions.standing(connection, session.thread_id)
        if session.is_leased or standing.is_running:
            raise session_busy()
        stored = await self._reconciled(connection, session)
        message = asked.message or _DECISION_WORDS[asked.decision or "skip"]
        decision = (asked.decision or decision_of(message)) if standing.waits else None
        # A decision whose run was cut off is one still, though the thread waits for none any more (G41).
        redecides = decision is None and stored is not None and stored.is_cut_off_decision(message)
        if asked.decision and not (decision or redecides):
            raise no_pending_decision()
        mode: Mode = "deep" if decision or redecides else asked.mode
        tags = asked.tags if mode == "deep" else ()
        same = stored if stored is not None and not stored.is_answered and stored.asks(message, mode, tags) else None
        turn_id = same.turn_id if same else self._runtime.ids.uuid()
        work = await self._work(connection, session, standing, mode, decision, same)
        past = await messages.recent(connection, session, REMEMBERED_TURNS)
        if same is None and work != "leave_draft":
            await messages.insert_question(
                connection,
                session,
                turn_id,
                mode=mode,
                content=message,
                tags=tags,
                idempotency=asked.idempotency,
                at=self._runtime.clock.now(),
            )
        elif same is not None and asked.idempotency is not None:
            await messages.set_key(connection, session, turn_id, asked.idempotency)
        await sessions.lease(connection, session, turn_id, self._runtime.clock.now())
        return Turn(
            id=turn_id,
            work=work,
            mode=mode,
            session=session,
            message=message,
            tags=tags,
            decision=decision or "skip",
            past=past,
            streams=asked.streams,
            idempotency=asked.idempotency,
        )

    async def _work(
        self,
        connection: Connection,
        session: Session,
        standing: ThreadStanding,
        mode: Mode,
        decision: Decision | None,
        same: StoredTurn | None,
    ) -> Work:
        if mode == "chat":
            return "reply"
        if decision:
            return "decide"
        if standing.waits:
            return "leave_draft"
        # Only a run of this very turn can be taken up: what else the thread has to do is another's.
        if same and await messages.run_of(connection, session.thread_id, same.turn_id):
            return "go_on"
        return "begin"

    async def _reconciled(self, connection: Connection, session: Session) -> StoredTurn | None:
        """Return the newest turn; one whose run has ended while nobody was there to keep its answer gets it now."""
        stored = await messages.latest(connection, session)
        if stored is None or stored.is_answered or stored.mode != "deep":
            return stored
        run = await messages.run_of(connection, session.thread_id, stored.turn_id)
        if run is None or run.status != "success" or not run.output:
            return stored
        await messages.insert_answer(
            connection,
            session,
            stored.turn_id,
            mode="deep",
            content=str(run.output.get("response") or ""),
            answer=run.output,
            at=self._runtime.clock.now(),
        )
        return await messages.latest(connection, session)


def _following(stored: StoredTurn, session: Session) -> Turn:
    mode: Mode = "deep" if stored.mode == "deep" else "chat"
    return Turn(
        id=stored.turn_id, work="follow", mode=mode, session=session, message=stored.content, tags=tuple(stored.tags)
    )
