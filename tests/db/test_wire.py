"""A lane's connection: answers as of psycopg's cursors, failures that leave it usable, breaks that it notices."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
import uvloop

from db.url import for_psycopg, search_path_option
from db.wire import Order, Row, Wire
from tests.kit.outage import door_to
from tests.kit.waiting import until

SLOW_TO_COMMIT: list[LiteralString] = [
    "CREATE TEMPORARY TABLE slow (n INT)",
    """CREATE FUNCTION pg_temp.late() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$""",
    """CREATE CONSTRAINT TRIGGER late AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pg_temp.late()""",
]


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    made = await Wire.connect(for_psycopg(database_url), options=search_path_option())
    yield made
    await made.close()


async def test_values_come_as_their_python_types(wire: Wire) -> None:
    key = uuid4()
    asked = "SELECT %s::uuid AS key, %s + 1 AS n, %s::json AS doc, now() AS at, %s::text AS none, %b::bytea[] AS raw"
    found = await wire.execute((asked, [key, 2**40, '{"a": [1]}', None, [b"\x00\xff", b""]]))
    assert found is not None
    assert isinstance(found.pop("at"), datetime)
    assert found == {"key": key, "n": 2**40 + 1, "doc": {"a": [1]}, "none": None, "raw": [b"\x00\xff", b""]}


async def test_one_statement_may_have_parameters_of_other_types(wire: Wire) -> None:
    for given, kind in ((1, "smallint"), (2**20, "integer"), (2**40, "bigint")):
        assert await wire.execute(("SELECT pg_typeof(%s)::text AS kind", [given])) == {"kind": kind}


async def test_a_statement_without_rows_answers_none(wire: Wire) -> None:
    assert await wire.execute(("SELECT 1 WHERE %s", [False])) is None
    assert await wire.execute(("SET LOCAL work_mem = '4MB'", [])) is None


async def test_what_fails_alone_leaves_the_connection_usable(wire: Wire) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await wire.execute(("SELECT 1 / %s", [0]))
    with pytest.raises(psycopg.errors.UndefinedTable):
        await wire.execute(("SELECT FROM nowhere", []))
    assert await wire.execute(("SELECT 1 / %s AS n", [1])) == {"n": 1}


async def test_what_fails_among_others_undoes_them(wire: Wire) -> None:
    await wire.execute(("CREATE TEMPORARY TABLE kept (n INT)", []))
    add = "INSERT INTO kept VALUES (10 / %s) RETURNING n"
    with pytest.raises(psycopg.errors.DivisionByZero):
        await wire.commit([(add, [5]), (add, [0]), (add, [2])])
    assert await wire.commit([(add, [2]), ("SELECT count(*) AS n FROM kept", [])]) == [{"n": 5}, {"n": 1}]


async def test_what_cannot_be_committed_fails_though_it_was_executed(wire: Wire) -> None:
    await wire.execute(("CREATE TEMPORARY TABLE own (n INT UNIQUE DEFERRABLE INITIALLY DEFERRED)", []))
    add: Order = ("INSERT INTO own VALUES (%s) RETURNING n", [1])
    executed: list[list[Row | None]] = []
    with pytest.raises(psycopg.errors.UniqueViolation):
        await wire.commit([add, add], executed.append)
    assert executed == [[{"n": 1}, {"n": 1}]]
    assert await wire.execute(("SELECT count(*) AS n FROM own", [])) == {"n": 0}


async def test_who_waits_only_for_the_execution_is_told_before_the_commit(wire: Wire) -> None:
    for statement in SLOW_TO_COMMIT:
        await wire.execute((statement, []))
    told: list[float] = []
    begun = time.monotonic()
    await wire.commit(
        [("INSERT INTO slow VALUES (%s)", [1])], executed=lambda _rows: told.append(time.monotonic() - begun)
    )
    assert told[0] < 0.2
    assert time.monotonic() - begun >= 0.3


async def test_of_what_fails_nobody_is_told_that_it_was_executed(wire: Wire) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await wire.commit([("SELECT 1 / %s", [0])], executed=lambda _rows: pytest.fail("it was not"))


async def test_more_than_the_sockets_hold_goes_both_ways(wire: Wire) -> None:
    texts = [str(n) * 100_000 for n in range(64)]
    rows = await wire.commit([("SELECT %s::text AS text", [text]) for text in texts])
    assert [row["text"] for row in rows if row] == texts


async def test_a_connection_that_ends_while_nobody_waits_is_known_to_be_closed(wire: Wire, database_url: str) -> None:
    found = await wire.execute(("SELECT pg_backend_pid() AS pid", []))
    assert found is not None
    async with await psycopg.AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s)", (found["pid"],))
    await until(lambda: wire.is_closed)
    with pytest.raises(psycopg.OperationalError):
        await wire.execute(("SELECT 1", []))


async def test_a_connection_that_ends_while_one_waits_tells_him(wire: Wire, database_url: str) -> None:
    found = await wire.execute(("SELECT pg_backend_pid() AS pid", []))
    assert found is not None
    waiting = asyncio.create_task(wire.execute(("SELECT pg_sleep(60)::text", [])))
    async with await psycopg.AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as other:
        await asyncio.sleep(0.05)
        await other.execute("SELECT pg_terminate_backend(%s)", (found["pid"],))
    with pytest.raises(psycopg.OperationalError):
        await waiting


async def test_who_does_not_wait_for_an_answer_leaves_the_connection_closed(wire: Wire) -> None:
    waiting = asyncio.create_task(wire.execute(("SELECT pg_sleep(60)::text", [])))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert wire.is_closed


async def test_uuids_are_told_from_texts(wire: Wire) -> None:
    assert await wire.execute(("SELECT %s AS key", [UUID(int=7)])) == {"key": UUID(int=7)}


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_connection_that_ends_while_one_still_sends_tells_him(
    database_url: str, make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    asked: list[Order] = [("SELECT pg_sleep(1)::text", []), ("SELECT length(%s::text)", ["x" * 50_000_000])]
    failed = []

    async def cut_off() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failed.append(context["message"]))
        async with door_to(database_url) as (door, url):
            wire = await Wire.connect(for_psycopg(url), options=search_path_option())
            sending = asyncio.create_task(wire.commit(asked))
            # Nobody reads: the sockets are full long before all of it is sent.
            await asyncio.sleep(0.3)
            await door.shut()
            with pytest.raises(psycopg.OperationalError):
                await sending
            assert wire.is_closed
            await wire.close()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(cut_off())
    assert not [message for message in failed if message.startswith("Exception in callback")]


async def test_a_text_that_is_no_unicode_is_refused_as_data(wire: Wire) -> None:
    with pytest.raises(psycopg.DataError):
        await wire.execute(("SELECT %s::text", ["\ud800"]))


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_watch_that_got_lost_is_noticed(
    database_url: str, loop_factory: Callable[[], asyncio.AbstractEventLoop], *, breaks: bool
) -> None:
    """A number that is used again by somebody else, who then stops watching what he believes to be his."""

    async def lose() -> None:
        async with door_to(for_psycopg(database_url)) as (door, url):
            wire = await Wire.connect(url, options=search_path_option())
            waiting = asyncio.create_task(wire.execute(("SELECT pg_sleep(0.2)::text AS slept", [])))
            await asyncio.sleep(0.1)
            asyncio.get_running_loop().remove_reader(wire._socket)
            if breaks:
                await door.shut()
            async with asyncio.timeout(5):
                await asyncio.wait({waiting})
            if breaks:
                assert isinstance(waiting.exception(), psycopg.OperationalError)
            else:
                assert waiting.result() == {"slept": ""}
            await wire.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(lose())


async def test_who_is_not_answered_yet_keeps_others_from_sending(wire: Wire) -> None:
    waiting = asyncio.create_task(wire.execute(("SELECT pg_sleep(0.2)::text AS slept", [])))
    await asyncio.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        await wire.execute(("SELECT 1", []))
    assert await waiting == {"slept": ""}
