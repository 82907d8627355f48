"""Make LangGraph's checkpoint tables, in a schema of their own (X015)."""

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from db.url import for_psycopg, search_path_option


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
