"""Statements of a caller in one transaction with the look at who he is; whatever becomes of them, nothing is left."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from psycopg.errors import DivisionByZero, InsufficientPrivilege

from core.errors import Unauthenticated
from db.database import Database
from db.roles import role_url
from server.auth import api_keys
from server.auth.acting import Acting, answered

WHO = "SELECT auth.uid() AS id, pg_current_xact_id_if_assigned() AS xact, now() AS began"
AGENT = "INSERT INTO public.agents (user_id, name) VALUES (%(user)s, 'x') RETURNING user_id"
AGENTS = "SELECT count(*) AS found FROM public.agents"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """With one connection: what is left on it is what the next one gets."""
    database = Database(role_url(database_url, "app"), pool_size=1)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def caller(database_url: str) -> Acting:
    system = Database(role_url(database_url, "system"), pool_size=1)
    async with system.transaction() as session:
        key = await api_keys.create(session, "k")
    await system.open()
    async with system.pool.connection() as connection:
        row = await (await connection.execute("SELECT id FROM auth.users")).fetchone()
    await system.close()
    assert row is not None
    return Acting(row["id"], "key", api_keys.digest(key))


async def left(database: Database) -> UUID | None:
    """Return whom the next user of the connection would act for."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(WHO)).fetchone()
    assert row is not None
    found: UUID | None = row["id"]
    return found


async def test_all_of_it_is_one_transaction_of_the_caller(database: Database, caller: Acting) -> None:
    [first], [second] = await answered(database.pool, caller, (WHO, {}), (WHO, {}))
    assert first["id"] == second["id"] == caller.user_id
    assert first["began"] == second["began"]
    assert caller.is_seen
    # A second time he need not be looked up, and is the same.
    [[again]] = await answered(database.pool, caller, (WHO, {}))
    assert again["id"] == caller.user_id
    assert await left(database) is None


async def test_what_fails_changes_nothing(database: Database, caller: Acting) -> None:
    values = {"user": caller.user_id}
    with pytest.raises(DivisionByZero):
        await answered(database.pool, caller, (AGENT, values), ("SELECT 1 / 0", {}))
    assert await left(database) is None
    [[counted]] = await answered(database.pool, caller, (AGENTS, {}))
    assert counted["found"] == 0


async def test_nobody_reads_nothing_and_writes_nothing(database: Database, caller: Acting) -> None:
    nobody = Acting(caller.user_id, "key", b"unknown")
    await answered(database.pool, caller, (AGENT, {"user": caller.user_id}))
    with pytest.raises(Unauthenticated):
        await answered(database.pool, nobody, (AGENTS, {}))
    with pytest.raises(InsufficientPrivilege):
        await answered(database.pool, nobody, (AGENT, {"user": caller.user_id}))
    assert not nobody.is_seen
    assert await left(database) is None


async def test_a_user_who_is_not_the_keys_sees_nothing_of_his(database: Database, caller: Acting) -> None:
    other = Acting(uuid4(), "key", caller.proof)
    [[seen]] = await answered(database.pool, other, (WHO, {}))
    assert seen["id"] == caller.user_id


async def test_one_that_is_cancelled_leaves_nothing(database: Database, caller: Acting) -> None:
    values = {"user": caller.user_id}
    task = asyncio.create_task(answered(database.pool, caller, (AGENT, values), ("SELECT pg_sleep(60)", {})))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await left(database) is None
    [[counted]] = await answered(database.pool, caller, (AGENTS, {}))
    assert counted["found"] == 0


async def test_many_at_once_share_the_connections(database: Database, caller: Acting) -> None:
    strangers = [Acting(caller.user_id, "key", bytes([number])) for number in range(20)]
    asked = [answered(database.pool, one, (WHO, {})) for one in [caller, *strangers] for _ in range(3)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [row[0][0]["id"] for row in results if not isinstance(row, BaseException)] == [caller.user_id] * 3
    assert sum(isinstance(result, Unauthenticated) for result in results) == 60
