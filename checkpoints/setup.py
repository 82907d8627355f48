"""Make LangGraph's checkpoint tables, in a schema of their own (X015)."""

from typing import Final

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from db.url import for_psycopg, search_path_option

# The primary keys begin with the thread: these would be written at every step, and read by nobody.
_DROP_SPARE: Final = "DROP INDEX IF EXISTS " + ", ".join(
    f"checkpoints.{table}_thread_id_idx" for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
)


async def setup(url: str) -> None:
    """Bring the checkpoint tables to the installed library's schema; does nothing when they are there."""
    connection: AsyncConnection[DictRow] = await AsyncConnection.connect(
        for_psycopg(url),
        autocommit=True,
        prepare_threshold=0,
        row_factory=dict_row,
        options=search_path_option("checkpoints"),
    )
    async with connection:
        await AsyncPostgresSaver(conn=connection).setup()
        await connection.execute(_DROP_SPARE)
