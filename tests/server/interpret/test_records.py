"""The SQL behind the workflow's records and its journal (B019, G22): once each, fenced, and each owner's own."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import sql
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege, UniqueViolation
from sqlalchemy.exc import IntegrityError

from checkpoints.saver import FenceLost
from db.database import acting_for
from nodes.interpret_execute.records import JournalEntry, PlannedCall
from server.interpret import call_repository
from server.interpret.records import CallJournal, SessionRecords
from server.runs.retention import Limits, Retention
from tests.kit.app import Service
from tests.server.interpret.conftest import Person, rows, thread_of

RESULT = {"kind": "result", "result": {"action": "append", "status": "success", "data": {"n": 1}, "error": None}}
FORGE = "INSERT INTO interpret.logs (session_id, user_id, key, step, message) VALUES (%s, %s, 'k', 'x', 'x')"


class Settling:
    """What a run does before it acts; `lost` once its thread is another's."""

    def __init__(self) -> None:
        self.count = 0
        self.lost = False

    async def __call__(self) -> None:
        if self.lost:
            raise FenceLost
        self.count += 1


@pytest.fixture
def settle() -> Settling:
    return Settling()


@pytest.fixture
async def thread(service: Service, me: Person) -> UUID:
    """A session's thread, with an offer pending and one row in its log."""
    await me.interpret()
    return await thread_of(service)


def call(thread: UUID, call_id: UUID, **changes: Any) -> PlannedCall:
    values: dict[str, Any] = {"step": "s1", "tool": "append", "server": "fake", "arguments": {"text": "秘密"}} | changes
    return PlannedCall(call_id=str(call_id), thread_id=str(thread), **values)


class TestJournal:
    @pytest.fixture
    def journal(self, service: Service, me: Person, settle: Settling) -> CallJournal:
        return CallJournal(service.runtime.database, UUID(me.id), settle)

    async def test_a_call_is_new_then_sent_then_done(
        self, journal: CallJournal, settle: Settling, thread: UUID
    ) -> None:
        one = call(thread, uuid4())
        assert await journal.begin(one) == JournalEntry("new")
        assert await journal.begin(one) == JournalEntry("sent")
        await journal.finish(one.call_id, RESULT)
        assert await journal.begin(one) == JournalEntry("done", RESULT)
        assert settle.count == 3

    async def test_the_first_outcome_stays(self, journal: CallJournal, thread: UUID) -> None:
        one = call(thread, uuid4())
        await journal.begin(one)
        await journal.finish(one.call_id, RESULT)
        await journal.finish(one.call_id, {"kind": "input", "asked": {}})
        assert (await journal.begin(one)).outcome == RESULT

    async def test_a_run_that_lost_its_thread_journals_nothing_and_still_finishes(
        self, service: Service, journal: CallJournal, settle: Settling, thread: UUID
    ) -> None:
        one, other = call(thread, uuid4()), call(thread, uuid4())
        await journal.begin(one)
        settle.lost = True
        with pytest.raises(FenceLost):
            await journal.begin(other)
        await journal.finish(one.call_id, RESULT)
        states = await rows(service, "SELECT call_id::text, state FROM interpret.tool_calls")
        assert states == [{"call_id": one.call_id, "state": "done"}]

    async def test_another_owners_journal_is_another(
        self, service: Service, journal: CallJournal, settle: Settling, thread: UUID, them: Person
    ) -> None:
        one = call(thread, uuid4())
        await journal.begin(one)
        theirs = CallJournal(service.runtime.database, UUID(them.id), settle)
        # A call belongs to a thread of its owner's.
        with pytest.raises(IntegrityError):
            await theirs.begin(one)
        await theirs.finish(one.call_id, RESULT)
        assert await journal.begin(one) == JournalEntry("sent")

    async def test_arguments_are_not_kept(self, service: Service, journal: CallJournal, thread: UUID) -> None:
        first, second = call(thread, uuid4()), call(thread, uuid4(), arguments={"text": "别的"})
        await journal.begin(first)
        await journal.begin(second)
        kept = await rows(service, "SELECT to_jsonb(c) AS c, arguments_sha256 FROM interpret.tool_calls AS c")
        assert "秘密" not in str([row["c"] for row in kept])
        assert len({row["arguments_sha256"] for row in kept}) == 2

    @pytest.mark.parametrize("data", ["x" * 2_000_000, "a\0b", {"深": ["水"] * 300_000}])
    async def test_what_a_column_cannot_hold(self, journal: CallJournal, thread: UUID, data: Any) -> None:
        one = call(thread, uuid4())
        await journal.begin(one)
        await journal.finish(one.call_id, {"kind": "result", "result": {**RESULT["result"], "data": data}})  # type: ignore[dict-item]
        entry = await journal.begin(one)
        assert entry.state == "done"
        assert entry.outcome is not None
        assert entry.outcome["result"]["status"] == "success"
        assert len(str(entry.outcome)) < 1_000_000

    async def test_old_calls_are_deleted_with_old_checkpoints(
        self, service: Service, journal: CallJournal, thread: UUID
    ) -> None:
        for _ in range(3):
            await journal.begin(call(thread, uuid4()))
        pool = service.runtime.system.pool
        async with pool.connection() as connection:
            await connection.execute(
                "UPDATE interpret.tool_calls SET created_at = now() - interval '91 days'"
                " WHERE call_id IN (SELECT call_id FROM interpret.tool_calls LIMIT 2)"
            )
        families = {"tool_calls": call_repository.delete_before}
        for days, left in ((None, 3), (timedelta(days=90), 1)):
            limits = Limits(checkpoints=None, checkpoint_age=days, event_age=None, run_age=None)
            assert await Retention(pool, limits, service.runtime.clock, 600, families).sweep()
            assert len(await rows(service, "SELECT FROM interpret.tool_calls")) == left


class TestNote:
    @pytest.fixture
    def records(self, service: Service, me: Person, settle: Settling) -> SessionRecords:
        return SessionRecords(service.runtime.database, UUID(me.id), settle)

    async def test_the_same_key_again_adds_nothing(
        self, me: Person, records: SessionRecords, settle: Settling, thread: UUID
    ) -> None:
        for status, text in (("executing", "一"), ("failed", "二")):
            await records.note(
                str(thread),
                "k",
                status=status,  # type: ignore[arg-type]
                step="execute",
                outcome="success",
                message=text,
            )
        assert (await me.logs())[1:] == [("execute", "success", "一")]
        assert (await me.session())["status"] == "executing"
        assert settle.count == 2

    async def test_without_a_status_it_stays(self, me: Person, records: SessionRecords, thread: UUID) -> None:
        await records.note(str(thread), "k", status=None, step="report", outcome="failed", message="x")
        assert (await me.session())["status"] == "awaiting_confirm"
        assert (await me.logs())[-1] == ("report", "failed", "x")

    async def test_threads_without_a_session_and_other_owners_write_nothing(
        self, service: Service, records: SessionRecords, settle: Settling, thread: UUID, them: Person, me: Person
    ) -> None:
        theirs = SessionRecords(service.runtime.database, UUID(them.id), settle)
        await records.note(str(uuid4()), "k", status="done", step="x", outcome="success", message="x")
        await theirs.note(str(thread), "k", status="done", step="x", outcome="success", message="x")
        assert len(await me.logs()) == 1
        assert (await me.session())["status"] == "awaiting_confirm"

    async def test_a_run_that_lost_its_thread_notes_nothing(
        self, me: Person, records: SessionRecords, settle: Settling, thread: UUID
    ) -> None:
        settle.lost = True
        with pytest.raises(FenceLost):
            await records.note(str(thread), "k", status="done", step="x", outcome="success", message="x")
        assert len(await me.logs()) == 1

    async def test_messages_are_what_text_can_hold(self, me: Person, records: SessionRecords, thread: UUID) -> None:
        message = "a\0b\ud800" + "长" * 9000
        await records.note(str(thread), "k", status=None, step="x", outcome="success", message=message)
        stored = (await me.logs())[-1][2]
        assert stored.startswith("ab?长")
        assert len(stored) == 8000


class TestIsolation:
    """With raw SQL, under the application's own role."""

    async def test_nobody_sees_anothers_rows(self, service: Service, me: Person, them: Person) -> None:
        await me.interpret()
        await me.execute()
        for who, expected in ((them, 0), (me, 1)):
            for table in ("users", "sessions", "logs", "tool_calls"):
                async with acting_for(service.runtime.database.pool, UUID(who.id)) as connection:
                    query = sql.SQL("SELECT count(*) AS seen FROM {}").format(sql.Identifier("interpret", table))
                    [row] = await (await connection.execute(query)).fetchall()
                assert min(row["seen"], 1) == expected, table

    async def test_nobody_writes_into_anothers_session(self, service: Service, me: Person, them: Person) -> None:
        await me.interpret()
        [mine] = await rows(service, "SELECT id, thread_id FROM interpret.sessions")
        pool = service.runtime.database.pool
        with pytest.raises(InsufficientPrivilege):
            async with acting_for(pool, UUID(them.id)) as connection:
                await connection.execute(
                    FORGE,
                    (mine["id"], me.id),
                )
        with pytest.raises(ForeignKeyViolation):
            async with acting_for(pool, UUID(them.id)) as connection:
                await connection.execute(
                    FORGE,
                    (mine["id"], them.id),
                )

    async def test_a_thread_has_one_session(self, service: Service, me: Person, them: Person) -> None:
        await me.interpret()
        thread = await thread_of(service)
        with pytest.raises(UniqueViolation):
            async with acting_for(service.runtime.database.pool, UUID(them.id)) as connection:
                await connection.execute(
                    "INSERT INTO interpret.sessions (session_id, user_id, thread_id) VALUES ('s9', %s, %s)",
                    (them.id, thread),
                )

    async def test_the_application_only_reads_the_tools(self, service: Service, me: Person) -> None:
        for statement in ("UPDATE interpret.tools SET enabled = true", "DELETE FROM interpret.tools"):
            with pytest.raises(InsufficientPrivilege):
                async with acting_for(service.runtime.database.pool, UUID(me.id)) as connection:
                    await connection.execute(statement.encode())
