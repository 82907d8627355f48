"""SQL of the tools' mirror (G19), for the system role: the application may only read it."""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.runs.jsonb import jsonb
from tools.mcp.model import Tool

Connection = AsyncConnection[DictRow]


async def mirror(connection: Connection, tools: Sequence[Tool]) -> None:
    """Write what the servers offer; what has not changed is left, and so is whether a tool is enabled.

    A tool that is not offered any more keeps its row: its server may only be down.
    """
    rows = [
        {
            "name": tool.name,
            "description": tool.description,
            "input_schema": tool.input_schema,
            "server": tool.server,
        }
        for tool in sorted(tools, key=lambda tool: tool.name)
    ]
    await connection.execute(
        """
        INSERT INTO interpret.tools AS known (name, description, input_schema, server)
        SELECT * FROM jsonb_to_recordset(%s) AS t(name TEXT, description TEXT, input_schema JSONB, server TEXT)
        ON CONFLICT (name) DO UPDATE
        SET description = excluded.description, input_schema = excluded.input_schema, server = excluded.server,
            updated_at = now()
        WHERE (known.description, known.input_schema, known.server)
          IS DISTINCT FROM (excluded.description, excluded.input_schema, excluded.server)
        """,
        (jsonb(rows),),
    )


async def disabled(connection: Connection) -> frozenset[str]:
    """Return the names of the tools that an operator has switched off."""
    cursor = await connection.execute("SELECT name FROM interpret.tools WHERE NOT enabled")
    return frozenset(row["name"] for row in await cursor.fetchall())
