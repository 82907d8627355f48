"""What a process tells of a run's end is what the database says of it."""

from uuid import UUID

from psycopg import AsyncConnection

from db.url import for_psycopg
from server.runs.model import RunStatus
from server.runtime import Runtime
from tests.server.runs.test_engine import request

REFUSED = """
CREATE FUNCTION public.refuse_data() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'it cannot be stored' USING ERRCODE = 'untranslatable_character';
END $$;
CREATE TRIGGER refuse_data BEFORE INSERT ON checkpoints.checkpoints
  FOR EACH ROW WHEN (NEW.metadata->>'step' = '0') EXECUTE FUNCTION public.refuse_data();
"""
"""Refuses a step that is not the last: what comes after it could be stored."""


async def test_a_state_that_the_database_cannot_hold_is_an_error_for_all(
    runtime: Runtime, owner: UUID, database_url: str
) -> None:
    # What a run saves goes ahead of its end once the statement is known to the server.
    for _ in range(2):
        before = await runtime.engine.wait(owner, await runtime.engine.start(request(owner)), 10)
        assert before.status == RunStatus.success
    async with await AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as connection:
        await connection.execute(REFUSED.encode())
        try:
            asked = request(owner)
            run_id = await runtime.engine.start(asked)
            told = await runtime.engine.wait(owner, run_id, 10)
        finally:
            await connection.execute("DROP FUNCTION public.refuse_data() CASCADE")
    written = await runtime.engine.result(owner, run_id)
    assert (told.status, told.error_code) == (written.status, written.error_code) == (RunStatus.error, "INTERNAL")
    # Nothing of it is remembered either: the thread goes on from what is stored.
    after = await runtime.engine.wait(owner, await runtime.engine.start(asked), 10)
    assert after.output == before.output
