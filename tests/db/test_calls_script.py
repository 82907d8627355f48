"""`docs/calls.sql` (C060) says what the migrations make: made from either, the catalogue holds the same."""

from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

import db.migrate
from tests.kit import database

SCRIPT = Path(__file__).parents[2] / "docs" / "calls.sql"
TABLES = ["agents", "call_records", "call_answer_rules", "aliyun_configs"]
CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) ORDER BY 1, a.attnum
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid::regclass::text = ANY(%s) ORDER BY 1, 2
    """,
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(%s) ORDER BY 1",
    "policies": """
        SELECT tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies
        WHERE schemaname = 'public' AND tablename = ANY(%s) ORDER BY 1, 2
    """,
    "security": """
        SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%s) ORDER BY 1
    """,
    "reasons": """
        SELECT enumlabel FROM pg_enum WHERE enumtypid = 'public.call_hangup_reason'::regtype AND %s::text[] IS NOT NULL
        ORDER BY enumsortorder
    """,
}


def found(connection: Connection[Any]) -> dict[str, list[Any]]:
    return {name: connection.execute(query.encode(), (TABLES,)).fetchall() for name, query in CATALOGUE.items()}


def test_the_script_makes_what_the_migrations_make(server_url: str) -> None:
    url = database.create(server_url, "calls_script")
    db.migrate.upgrade(url)
    with psycopg.connect(url, autocommit=True) as connection:
        migrated = found(connection)
        connection.execute(f"DROP TABLE {', '.join(f'public.{table}' for table in TABLES)} CASCADE".encode())
        connection.execute("DROP TYPE public.call_hangup_reason")
        assert found_nothing(connection)
        connection.execute(SCRIPT.read_bytes())
        scripted = found(connection)
    assert len(migrated["columns"]) > 40
    for name, rows in migrated.items():
        assert scripted[name] == rows, name


def found_nothing(connection: Connection[Any]) -> bool:
    return connection.execute(CATALOGUE["columns"].encode(), (TABLES,)).fetchall() == []
