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
  FOR EACH ROW EXECUTE FUNCTION public.refuse_data();
"""


async def test_a_state_that_the_database_cannot_hold_is_an_error_for_all(
    runtime: Runtime, owner: UUID, database_url: str
) -> None:
    async with await AsyncConnection.connect(for_psycopg(database_url), autocommit=True) as connection:
        await connection.execute(REFUSED.encode())
        try:
            run_id = await runtime.engine.start(request(owner))
            told = await runtime.engine.wait(owner, run_id, 10)
        finally:
            await connection.execute("DROP FUNCTION public.refuse_data() CASCADE")
    written = await runtime.engine.result(owner, run_id)
    assert (told.status, told.error_code) == (written.status, written.error_code) == (RunStatus.error, "INTERNAL")
