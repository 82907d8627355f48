"""The table of visitor templates holds what the product ships (G65); brought up to date by each migration."""

from psycopg import AsyncConnection

from db.url import for_psycopg, search_path_option
from nodes.counseling.visitors import TEMPLATES

_WRITE = """
INSERT INTO counseling.visitor_templates AS kept (key, name, brief, core_persona) VALUES (%s, %s, %s, %s)
ON CONFLICT (key) DO UPDATE SET name = excluded.name, brief = excluded.brief, core_persona = excluded.core_persona
WHERE (kept.name, kept.brief, kept.core_persona) <> (excluded.name, excluded.brief, excluded.core_persona)
"""


async def seed(url: str) -> None:
    """Write the templates; `url` is the owner's."""
    rows = [(str(one.key), one.name, one.brief, one.core_persona) for one in TEMPLATES]
    async with await AsyncConnection.connect(for_psycopg(url), options=search_path_option()) as connection:
        await connection.cursor().executemany(_WRITE, rows)
