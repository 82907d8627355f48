"""What the application's database role can see, change and forge: only what the user of its transaction owns (X031).

The tests walk the catalogue, so a table that is added tomorrow is under them too.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from core.settings import SettingsError
from db.database import Database, acting_for
from db.migrate import grant
from db.roles import role_url
from server.database import migrate
from tests.kit import catalogue, database
from tests.kit.catalogue import Table

# Each with the reason why nobody owns its rows.
OWNERLESS = {
    "public.alembic_version": "which schema there is",
    "audio.skills": "what is shipped or made by administrators; the application may only read it",
    "audio.verification_codes": "there before their user is; closed to the application",
    "counseling.whitelist_emails": "who may log in, there before their user is; closed to the application",
    "counseling.email_codes": "there before their user is; closed to the application",
    "counseling.visitor_templates": "the personas that are shipped; the application may only read them",
    "platform.workers": "processes; closed to the application",
    "platform.retention": "how far sweeps have come; closed to the application",
    "interpret.tools": "a copy of the servers' catalogue; the application may only read it",
    "checkpoints.checkpoints": "LangGraph's own; the engine checks the thread's owner first",
    "checkpoints.checkpoint_blobs": "likewise",
    "checkpoints.checkpoint_writes": "likewise",
    "checkpoints.list_items": "part of the blobs",
    "checkpoints.checkpoint_migrations": "LangGraph's version",
    "jobs.procrastinate_jobs": "wake-ups that carry a run's id only",
    "jobs.procrastinate_events": "likewise",
    "jobs.procrastinate_periodic_defers": "likewise",
    "jobs.procrastinate_workers": "processes",
    "jobs.colloquy_migrations": "procrastinate's version",
}
CLOSED = {
    *("auth.api_keys", "audio.verification_codes", "platform.workers", "platform.retention"),
    *("counseling.whitelist_emails", "counseling.email_codes"),
}


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def app(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(role_url(database_url, "app"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def system(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(role_url(database_url, "system"), autocommit=True) as connection:
        yield connection


def become(connection: Connection[Any], user_id: str | None) -> None:
    connection.execute("SELECT set_config('app.user_id', %s, false)", (user_id or "",))


def owned(connection: Connection[Any]) -> list[Table]:
    return [table for table in catalogue.tables(connection) if table.owner]


def unprotected(connection: Connection[Any]) -> list[str]:
    return [
        table.name
        for table in catalogue.tables(connection)
        if table.name not in OWNERLESS and not (table.owner and table.secured and table.policies)
    ]


def test_every_table_has_an_owner_and_a_policy_or_a_reason(owner: Connection[Any]) -> None:
    assert unprotected(owner) == []
    names = {table.name for table in catalogue.tables(owner)}
    assert names >= set(OWNERLESS)
    assert len(names - set(OWNERLESS)) >= 8


@pytest.mark.parametrize(
    "column", ["user_id UUID REFERENCES auth.users(id)", "student_id UUID", "x UUID REFERENCES auth.users(id)", "y INT"]
)
def test_a_new_table_without_a_policy_is_found(owner: Connection[Any], column: str) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute(f"CREATE TABLE platform.forgotten (id UUID PRIMARY KEY, {column})".encode())
        owner.execute("ALTER TABLE platform.forgotten ENABLE ROW LEVEL SECURITY")
        assert unprotected(owner) == ["platform.forgotten"]


def test_nobody_sees_changes_or_forges_what_is_anothers(
    owner: Connection[Any], app: Connection[Any], system: Connection[Any]
) -> None:
    tables = owned(owner)
    mine, theirs = catalogue.fill(owner, tables), catalogue.fill(owner, tables)
    me, them = mine["auth.users"]["id"], theirs["auth.users"]["id"]
    for table in tables:
        name, whose = table.identifier, Identifier(str(table.owner))
        assert _count(system, table) == 2, f"{table.name}: the system role sees all"
        if table.name in CLOSED:
            with pytest.raises(InsufficientPrivilege):
                app.execute(SQL("SELECT FROM {}").format(name))
            continue
        become(app, None)
        assert _count(app, table) == 0, f"{table.name}: without a user there is nothing"
        become(app, me)
        seen = app.execute(SQL("SELECT {}::text FROM {}").format(whose, name)).fetchall()
        assert seen == [(me,)], f"{table.name}: one sees one's own"
        _cannot_touch(app, table, theirs[table.name])
        for parent in table.parents:
            _cannot_hang_on(app, table, mine[table.name] | {parent.name: theirs[table.name][parent.name]})
        become(app, them)
        assert app.execute(SQL("SELECT to_jsonb({0}.*) FROM {0}").format(name)).fetchall() == [(theirs[table.name],)]


def _count(connection: Connection[Any], table: Table) -> int:
    [count] = connection.execute(SQL("SELECT count(*) FROM {}").format(table.identifier)).fetchone() or [None]
    return int(count)


def _cannot_touch(app: Connection[Any], table: Table, theirs: dict[str, Any]) -> None:
    """Try, as another user, to change, take, give away, delete and forge."""
    name, whose, them = table.identifier, Identifier(str(table.owner)), theirs[str(table.owner)]
    forge = SQL("INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{0}, %s)").format(
        name
    )
    with pytest.raises(InsufficientPrivilege):
        app.execute(forge, (json.dumps(theirs),))
    try:
        taken = app.execute(SQL("UPDATE {} SET {} = {} WHERE {} = %s").format(name, whose, whose, whose), (them,))
        assert taken.rowcount == 0, f"{table.name}: another's row was changed"
        gone = app.execute(SQL("DELETE FROM {} WHERE {} = %s").format(name, whose), (them,))
        assert gone.rowcount == 0, f"{table.name}: another's row was deleted"
    except InsufficientPrivilege:
        # Not even one's own: the table is for reading.
        return
    with pytest.raises(InsufficientPrivilege):
        app.execute(SQL("UPDATE {} SET {} = %s").format(name, whose), (them,))


def _cannot_hang_on(app: Connection[Any], table: Table, row: dict[str, Any]) -> None:
    """Try to make a row of one's own that belongs to another's: a run on his thread, an event of his run."""
    fresh = {c.name: str(uuid4()) for c in table.columns if c.name in ("id", "call_id") and c.type == "uuid"}
    forge = SQL("INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{0}, %s)").format(
        table.identifier
    )
    values = row | fresh | ({"seq": 2} if "seq" in row else {}) | ({"key": "other"} if "key" in row else {})
    if isinstance(row.get("id"), int):
        values["id"] = row["id"] + 1000
    with pytest.raises((InsufficientPrivilege, ForeignKeyViolation)):
        app.execute(forge, (json.dumps(values),))


def test_views_that_read_as_their_owner_are_closed_to_the_application(
    owner: Connection[Any], app: Connection[Any]
) -> None:
    """The embedded server's owner is a superuser, whom no policy binds."""
    views = owner.execute(
        "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        " AND NOT coalesce(c.reloptions @> '{security_invoker=true}', false)"
    ).fetchall()
    assert ("auth", "valid_keys") in views
    for view in views:
        with pytest.raises(InsufficientPrivilege):
            app.execute(SQL("SELECT FROM {}").format(Identifier(*view)))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (id INT)",
        "CREATE SCHEMA mine",
        "CREATE TEMPORARY TABLE mine (id INT)",
        "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE DOMAIN pg_temp.text AS pg_catalog.text",
        "ALTER TABLE public.call_records DISABLE ROW LEVEL SECURITY",
        "DROP POLICY owner ON public.call_records",
        "CREATE POLICY all_of_it ON public.call_records USING (true)",
        "TRUNCATE public.call_records",
        "INSERT INTO auth.users DEFAULT VALUES",
        "UPDATE auth.users SET is_admin = true",
        "INSERT INTO platform.workers (id) VALUES (gen_random_uuid())",
        "CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
        "SET SESSION AUTHORIZATION colloquy",
        "SET ROLE colloquy",
        "SET ROLE colloquy_test_system",
        "COPY public.call_records TO '/tmp/stolen'",
        "SELECT pg_read_file('PG_VERSION')",
    ],
)
def test_the_application_role_is_nobody_special(app: Connection[Any], statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        app.execute(statement.encode())


def test_temporary_types_do_not_run_as_the_system(owner: Connection[Any], app: Connection[Any]) -> None:
    """Were the application ever allowed to make them again, entry points still look for types elsewhere first."""
    owner.execute("INSERT INTO auth.users DEFAULT VALUES")
    owner.execute("GRANT TEMPORARY ON DATABASE colloquy_test TO colloquy_test_app")
    try:
        app.execute(
            """
            CREATE FUNCTION pg_temp.evil() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
              IF current_user <> session_user THEN UPDATE auth.users SET is_admin = true; END IF; RETURN true;
            END $$
            """
        )
        for name, real in (("text", "text"), ("timestamptz", "timestamptz"), ("uuid", "uuid")):
            app.execute(f"CREATE DOMAIN pg_temp.{name} AS pg_catalog.{real} CHECK (pg_temp.evil())".encode())
        app.execute("SELECT * FROM platform.claim_run(gen_random_uuid(), gen_random_uuid())")
        app.execute("SELECT * FROM audio.issue_code('13800000001', 'x', now(), now(), interval '1 minute', 10)")
        app.execute("SELECT * FROM audio.sign_in('13800000001', 'x', now(), 5)")
        app.execute("SELECT * FROM auth.identify_key(''::bytea)")
    finally:
        owner.execute("REVOKE TEMPORARY ON DATABASE colloquy_test FROM colloquy_test_app")
    assert owner.execute("SELECT bool_or(is_admin) FROM auth.users").fetchone() == (False,)


def test_row_security_cannot_be_switched_off(app: Connection[Any]) -> None:
    app.execute("SET row_security = off")
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        app.execute("SELECT FROM public.call_records")


def test_roles_and_entry_points(owner: Connection[Any]) -> None:
    roles = owner.execute(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles"
        " WHERE rolname LIKE 'colloquy_test_%' ORDER BY 1"
    ).fetchall()
    assert roles == [(f"colloquy_test_{kind}", False, False, False, False, True) for kind in ("app", "system")]
    tables_of = "SELECT count(*) FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner WHERE rolname LIKE %s"
    assert owner.execute(tables_of, ("colloquy_test_%",)).fetchone() == (0,)
    entries = owner.execute(
        """
        SELECT p.oid::regprocedure::text, pg_get_userbyid(p.proowner), p.proconfig,
               has_function_privilege('public', p.oid, 'EXECUTE'),
               has_function_privilege('colloquy_test_app', p.oid, 'EXECUTE')
        FROM pg_proc AS p WHERE p.prosecdef ORDER BY 1
        """
    ).fetchall()
    assert len(entries) >= 4
    for name, whose, config, everybody, application in entries:
        assert whose == "colloquy_test_system", name
        assert config == ["search_path=pg_catalog, pg_temp"], name
        assert (everybody, application) == (False, True), name


async def test_a_user_does_not_stay_on_a_pooled_connection(database_url: str, owner: Connection[Any]) -> None:
    row = catalogue.fill(owner, owned(owner))["platform.threads"]
    pooled = Database(role_url(database_url, "app"), pool_size=1)
    await pooled.open()
    try:
        count = "SELECT count(*) AS seen FROM platform.threads"
        async with acting_for(pooled.pool, UUID(row["owner_id"])) as connection:
            assert await (await connection.execute(count)).fetchone() == {"seen": 1}
        async with pooled.pool.connection() as connection:
            assert await (await connection.execute(count)).fetchone() == {"seen": 0}
    finally:
        await pooled.close()


class TestOwner:
    """`DATABASE_URL` of an external server: the owner is an ordinary role there."""

    @pytest.fixture
    def plain(self, server_url: str) -> Iterator[str]:
        """An empty database of an owner that is no superuser."""
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute("CREATE ROLE plain LOGIN CREATEROLE PASSWORD 'it''s/plain@1'")
            admin.execute("CREATE DATABASE plain OWNER plain")
        parts = urlsplit(database.at(server_url, "plain"))
        host = parts.netloc.rpartition("@")[2]
        yield parts._replace(netloc=f"plain:it%27s%2Fplain%401@{host}").geturl()
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute("DROP DATABASE plain WITH (FORCE)")
            for role in ("plain_app", "plain_system", "plain"):
                admin.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))

    async def test_an_ordinary_owner_will_do(self, plain: str) -> None:
        for _ in range(2):
            await migrate(plain)
        await asyncio.to_thread(self._look_around, plain)

    def _look_around(self, plain: str) -> None:
        with psycopg.connect(role_url(plain, "system"), autocommit=True) as system:
            tables = owned(system)
            rows = catalogue.fill(system, tables)
        with psycopg.connect(plain, autocommit=True) as owner:
            # FORCE: not even the tables' owner reads what people said.
            assert _count(owner, next(t for t in tables if t.name == "public.call_records")) == 0
        with psycopg.connect(role_url(plain, "app"), autocommit=True) as app:
            claimed = app.execute(
                "SELECT * FROM platform.claim_run(%s, gen_random_uuid())", (rows["platform.runs"]["id"],)
            ).fetchall()
            assert len(claimed) == 1
            become(app, rows["auth.users"]["id"])
            assert _count(app, next(t for t in tables if t.name == "public.call_records")) == 1

    async def test_an_owner_who_may_not_make_roles_is_told(self, plain: str, server_url: str) -> None:
        def forbid() -> None:
            with psycopg.connect(server_url, autocommit=True) as admin:
                admin.execute("ALTER ROLE plain NOCREATEROLE")

        await asyncio.to_thread(forbid)
        with pytest.raises(SettingsError, match="CREATEROLE"):
            await migrate(plain)


def test_a_role_that_became_too_mighty_is_corrected(database_url: str, owner: Connection[Any]) -> None:
    owner.execute("ALTER ROLE colloquy_test_app BYPASSRLS")
    grant(database_url)
    [bypasses] = owner.execute("SELECT rolbypassrls FROM pg_roles WHERE rolname = 'colloquy_test_app'").fetchone() or [
        1
    ]
    assert bypasses is False


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u@h/d", "password"),
        ("postgresql://u:p@h", "password"),
        ("postgresql://u:p@h/" + "d" * 57, "bytes"),
        ("mysql://u:p@h/d", "postgresql://"),
    ],
)
def test_urls_that_cannot_be_used(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        role_url(url, "app")


def test_a_roles_url_keeps_the_place_and_tells_nothing() -> None:
    url = role_url("postgres://o:secret@h1:1,h2:2/my%20db?host=%2Fa%20b&sslmode=require", "app")
    parts = urlsplit(url)
    assert parts.scheme == "postgresql"
    assert parts.netloc.endswith("@h1:1,h2:2")
    assert (parts.path, parts.query) == ("/my%20db", "host=%2Fa%20b&sslmode=require")
    assert "secret" not in url
    assert url != role_url("postgres://o:other@h1:1,h2:2/my%20db?host=%2Fa%20b&sslmode=require", "app")
    assert (parts.username or "").startswith("my%20db_app")
