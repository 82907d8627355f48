"""What a database's own catalogue says about its tables, and rows made from it alone."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.sql import SQL, Identifier

_TABLES = """
SELECT n.nspname || '.' || c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS secured,
       ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid) AS policies
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
ORDER BY 1
"""
_COLUMNS = """
SELECT a.attname AS name, t.typname AS type, t.typtype = 'e' AS is_enum, a.attnotnull AND NOT a.atthasdef
         AND a.attidentity = '' AS needed,
       (SELECT fn.nspname || '.' || fc.relname FROM pg_constraint AS k
          JOIN pg_class AS fc ON fc.oid = k.confrelid JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace
          CROSS JOIN unnest(k.conkey, k.confkey) AS pair(ours, theirs)
          JOIN pg_attribute AS fa ON fa.attrelid = k.confrelid AND fa.attnum = pair.theirs
        WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND pair.ours = a.attnum AND fa.attname = 'id') AS refers_to
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
USERS = "auth.users"
_OWNERS = ("user_id", "owner_id", "auth_user_id", "student_id", "assistant_id", "owner")


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    is_enum: bool
    needed: bool
    refers_to: str | None


@dataclass(frozen=True)
class Table:
    name: str
    secured: bool
    policies: frozenset[str]
    columns: tuple[Column, ...]

    @property
    def owner(self) -> str | None:
        """The column that says whose a row is: one that refers to the users, or is named like one that does."""
        if self.name == USERS:
            return "id"
        found = [column.name for column in self.columns if column.refers_to == USERS or column.name in _OWNERS]
        return found[0] if found else None

    @property
    def parents(self) -> list[Column]:
        """The columns that refer to other rows than a user's."""
        return [column for column in self.columns if column.refers_to not in (None, USERS)]

    @property
    def identifier(self) -> Identifier:
        return Identifier(*self.name.split("."))


def tables(connection: Connection[Any]) -> list[Table]:
    """Return all tables that are not PostgreSQL's own."""
    return [
        Table(name, secured, frozenset(policies), tuple(Column(*row) for row in connection.execute(_COLUMNS, (name,))))
        for name, secured, policies in connection.execute(_TABLES).fetchall()
    ]


def fill(connection: Connection[Any], chosen: list[Table]) -> dict[str, dict[str, Any]]:
    """Write one row of a new user into each of these tables; give the rows as JSON objects, by table."""
    user = uuid4()
    rows: dict[str, dict[str, Any]] = {}
    waiting = sorted(chosen, key=lambda table: table.name != USERS)
    while waiting:
        names = {table.name for table in waiting}
        table = next(t for t in waiting if not any(c.refers_to in names - {t.name} for c in t.columns))
        waiting.remove(table)
        values = {
            column.name: _value(connection, column, user, rows)
            for column in table.columns
            if column.needed or column.refers_to in rows or column.name == table.owner
        }
        statement = SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING to_jsonb({}.*)").format(
            table.identifier,
            SQL(", ").join(map(Identifier, values)),
            SQL(", ").join(SQL("%s") for _ in values),
            table.identifier,
        )
        [written] = connection.execute(statement, list(values.values())).fetchone() or [{}]
        rows[table.name] = written
    return rows


def _value(connection: Connection[Any], column: Column, user: UUID, rows: Mapping[str, dict[str, Any]]) -> Any:
    # The first row of all is the user's own.
    if column.refers_to == USERS or column.name in _OWNERS or (column.name == "id" and not rows):
        return user
    if column.refers_to is not None:
        return rows[column.refers_to]["id"]
    if column.is_enum:
        return (
            connection.execute(SQL("SELECT (enum_range(NULL::{}))[1]").format(Identifier(column.type))).fetchone() or []
        )[0]
    if column.name == "template_key":
        return "1"
    made: dict[str, Any] = {
        "uuid": uuid4(),
        "int2": 1,
        "int4": 1,
        "int8": 1,
        "float8": 0.5,
        "bool": False,
        "timestamptz": "2026-01-01T00:00:00Z",
        "date": "2026-01-01",
        "json": json.dumps({}),
        "jsonb": json.dumps({}),
        "bytea": secrets.token_bytes(32),
    }
    return made.get(column.type, secrets.token_hex(5))
