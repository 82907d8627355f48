"""A database becomes a file and a database again; what cannot be is said in a sentence, and leaves nothing behind."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from db import backup
from db.backup import BackupError, dump, restore
from db.roles import role_url
from db.url import search_path_option
from server.database import migrate
from tests.kit import catalogue, database

# Whatever PostgreSQL can print of itself, so that nothing has to be listed that a migration may add.
DEFINITIONS = {
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid LEFT JOIN pg_attrdef AS d
             ON (d.adrelid, d.adnum) = (attrelid, attnum)
        WHERE c.relnamespace = ANY (%s) AND c.relkind = 'r' AND attnum > 0 AND NOT attisdropped""",
    "policies": """
        SELECT schemaname, tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies""",
    "row level security": """
        SELECT oid::regclass::text, relrowsecurity, relforcerowsecurity FROM pg_class
        WHERE relnamespace = ANY (%s) AND relkind = 'r'""",
    "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = ANY (%s) AND prokind = 'f'",
    "enum types": "SELECT enumtypid::regtype::text, enumlabel, enumsortorder FROM pg_enum",
    "triggers": """
        SELECT pg_get_triggerdef(t.oid) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid
        WHERE c.relnamespace = ANY (%s) AND NOT tgisinternal""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname NOT LIKE 'pg\\_%%'",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = ANY (%s)""",
    "sequences": "SELECT schemaname, sequencename, last_value FROM pg_sequences",
    "tables' privileges": """
        SELECT oid::regclass::text, replace(relacl::text, current_database(), 'DATABASE') FROM pg_class
        WHERE relnamespace = ANY (%s) AND relkind IN ('r', 'S')""",
    "functions' owners and privileges": """
        SELECT oid::regprocedure::text, replace(proowner::regrole::text, current_database(), 'DATABASE'),
               replace(proacl::text, current_database(), 'DATABASE')
        FROM pg_proc WHERE pronamespace = ANY (%s)""",
}
OUR_SCHEMAS = """
SELECT array_agg(oid::oid) FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
"""
MESSAGES = '[{"role": "user", "content": "专业版一年2980元，\\"好\\"的。\\n\\\\.\\t🙂", "timestamp": 1}]'
# They say which schema there is; and a table that wants no value at all.
LEFT_OUT = ("migrations", "alembic_version", "procrastinate_workers")
SECRET = "it's/a secret@1"
SECRET_IN_URL = "it%27s%2Fa%20secret%401"


def definitions(url: str) -> dict[str, list[str]]:
    with psycopg.connect(url) as connection:
        [schemas] = connection.execute(OUR_SCHEMAS).fetchone() or [None]
        return {
            name: sorted(repr(row) for row in connection.execute(question.encode(), (schemas,) * question.count("%s")))
            for name, question in DEFINITIONS.items()
        }


def rows(url: str) -> dict[str, list[str]]:
    """All rows of all tables as JSON; of a superuser's database, or through the system role."""
    with psycopg.connect(url) as connection:
        question = SQL("SELECT to_jsonb(t)::text FROM {} AS t")
        return {
            table.name: sorted(row[0] for row in connection.execute(question.format(table.identifier)))
            for table in catalogue.tables(connection)
        }


def fill(url: str) -> None:
    """Write two rows into every table but those that say which schema there is."""
    # procrastinate's triggers name its tables without a schema.
    with psycopg.connect(url, autocommit=True, options=search_path_option()) as connection:
        tables = [table for table in catalogue.tables(connection) if not table.name.endswith(LEFT_OUT)]
        for _ in range(2):
            catalogue.fill(connection, tables)
            connection.execute("INSERT INTO jobs.procrastinate_workers DEFAULT VALUES")
        connection.execute("UPDATE public.call_records SET messages = %s, hangup_reason = 'silence'", (MESSAGES,))
        connection.execute("UPDATE checkpoints.checkpoint_blobs SET blob = %s", (bytes(range(256)),))


def refused(attempt: Any, *arguments: Any) -> str:
    with pytest.raises(BackupError) as caught:
        attempt(*arguments)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert SECRET not in sentence
    assert SECRET_IN_URL not in sentence
    return sentence


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def nothing_in(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return catalogue.tables(connection) == []


def drop(server_url: str, name: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
        for role in (f"{name}_app", f"{name}_system"):
            admin.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))


@pytest.fixture
def new(server_url: str) -> Iterator[str]:
    """An empty database."""
    yield database.create(server_url, "restored")
    drop(server_url, "restored")


@pytest.fixture
def file(database_url: str, tmp_path: Path) -> Path:
    """A dump of a database with two rows in every table, alone in its directory."""
    fill(database_url)
    target = tmp_path / "kept" / "a backup"
    target.parent.mkdir()
    dump(database_url, target)
    return target


def test_a_round_trip_changes_nothing(database_url: str, file: Path, new: str) -> None:
    kept = rows(database_url)
    assert min(len(found) for found in kept.values()) >= 1
    assert len(kept["public.call_records"]) == len(kept["jobs.procrastinate_jobs"]) == 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert names(file.parent) == {file.name}

    restore(new, file)
    assert rows(new) == kept
    for _ in range(2):
        asyncio.run(migrate(new))
    assert rows(new) == kept
    made = definitions(database_url)
    for name, found in definitions(new).items():
        assert found == made[name], name
        assert found, name


def test_relative_paths_are_the_callers(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dump(database_url, Path("here"))
    assert (tmp_path / "here").read_bytes().startswith(b"PGDMP")


class TestOrdinaryOwner:
    """`DATABASE_URL` of an external server: row level security binds the owner there too."""

    @pytest.fixture
    def owned(self, server_url: str) -> Iterator[list[str]]:
        """The URLs of two databases of an owner that is no superuser: one migrated and filled, one empty."""
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute(SQL("CREATE ROLE keeper LOGIN CREATEROLE PASSWORD {}").format(SECRET))
            for name in ("kept", "again"):
                admin.execute(SQL("CREATE DATABASE {} OWNER keeper").format(Identifier(name)))
        parts = urlsplit(server_url)
        netloc = f"keeper:{SECRET_IN_URL}@{parts.netloc.rpartition('@')[2]}"
        urls = [parts._replace(netloc=netloc, path=f"/{name}").geturl() for name in ("kept", "again")]
        asyncio.run(migrate(urls[0]))
        fill(role_url(urls[0], "system"))
        yield urls
        for name in ("kept", "again"):
            drop(server_url, name)
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute("DROP ROLE keeper")

    def test_no_row_is_missing(self, owned: list[str], tmp_path: Path) -> None:
        first, second = owned
        dump(first, tmp_path / "file")
        restore(second, tmp_path / "file")
        asyncio.run(migrate(second))
        kept = rows(role_url(first, "system"))
        assert len(kept["public.call_records"]) == 2
        assert rows(role_url(second, "system")) == kept

    @pytest.mark.parametrize(
        "policies",
        [
            "",
            "CREATE POLICY owner ON public.hidden USING (auth.is_system())",
            "CREATE POLICY system ON public.hidden FOR UPDATE USING (auth.is_system())",
            """CREATE POLICY system ON public.hidden USING (auth.is_system());
               CREATE POLICY less ON public.hidden AS RESTRICTIVE USING (false)""",
        ],
    )
    def test_rows_that_policies_hide_are_not_left_out(self, owned: list[str], tmp_path: Path, policies: str) -> None:
        with psycopg.connect(owned[0], autocommit=True) as owner:
            owner.execute("CREATE TABLE public.hidden AS SELECT 42 AS answer")
            owner.execute("ALTER TABLE public.hidden ENABLE ROW LEVEL SECURITY")
            owner.execute(policies.encode())
        assert "public.hidden" in refused(dump, owned[0], tmp_path / "file")
        assert names(tmp_path) == set()


def test_a_file_is_not_overwritten(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        assert "exists already" in refused(dump, database_url, tmp_path / name)
    assert (tmp_path / "file").read_text() == "precious"
    assert names(tmp_path) == {"file", "link"}


def test_a_directory_that_cannot_be_used_is_named(database_url: str, tmp_path: Path) -> None:
    assert "No such file or directory" in refused(dump, database_url, tmp_path / "missing" / "file")


def test_a_dump_that_breaks_off_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        assert "pg_dump failed" in refused(dump, database_url, tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == set()


def test_an_empty_database_is_no_backup(new: str, tmp_path: Path) -> None:
    assert "no tables of Colloquy" in refused(dump, new, tmp_path / "file")
    assert names(tmp_path) == set()


def test_a_used_database_is_not_restored_into(database_url: str, file: Path) -> None:
    kept = rows(database_url)
    assert "restore into an empty one" in refused(restore, database_url, file)
    assert rows(database_url) == kept


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.98])
def test_half_a_file_is_not_restored(file: Path, new: str, share: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    assert "pg_restore failed" in refused(restore, new, file)
    assert nothing_in(new)


def test_what_is_no_dump_is_not_restored(new: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("CREATE TABLE public.planted ();\n" * 1000)
    assert "pg_restore failed" in refused(restore, new, tmp_path / "text")
    assert "No such file" in refused(restore, new, tmp_path / "missing")
    assert "directory" in refused(restore, new, tmp_path)
    assert nothing_in(new)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"netloc": f"colloquy:{SECRET_IN_URL}@127.0.0.1:1", "query": ""}, "does not answer"),
        ({"netloc": f"colloquy:{SECRET_IN_URL}@"}, "password authentication failed"),
        ({"netloc": f"colloquy:{SECRET_IN_URL}%zz@127.0.0.1:1"}, "percent-encoding"),
        ({"netloc": f"colloquy:{SECRET_IN_URL}@127.0.0.1:1", "query": "no_such_option=1"}, "percent-encoding"),
    ],
)
def test_a_server_that_is_not_there(database_url: str, tmp_path: Path, change: dict[str, str], says: str) -> None:
    url = urlsplit(database_url)._replace(**change).geturl()
    (tmp_path / "source").touch()
    assert says in refused(dump, url, tmp_path / "target")
    assert says in refused(restore, url, tmp_path / "source")
    assert names(tmp_path) == {"source"}


@pytest.mark.parametrize(("server", "tls"), [(18, True), (16, False), (19, False)])
def test_what_our_programs_cannot_the_machines_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: int, *, tls: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match=f"postgresql-client-{server}"):
        backup._find("pg_dump", server, tls=tls)
    (tmp_path / "pg_dump").touch(mode=0o755)
    assert backup._find("pg_dump", server, tls=tls) == tmp_path / "pg_dump"
    assert backup._find("pg_dump", 17, tls=False) != tmp_path / "pg_dump"


def test_the_password_is_no_argument(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in place of pg_dump writes down how it was called."""
    spy = tmp_path / "pg_dump"
    spy.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nenv > {tmp_path}/environment\nexit 1\n')
    spy.chmod(0o755)
    monkeypatch.setattr(backup, "_find", lambda *_, **__: spy)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-never")
    assert "status 1" in refused(dump, database_url, tmp_path / "file")
    password = str(urlsplit(database_url).password)
    assert password not in (tmp_path / "arguments").read_text()
    environment = (tmp_path / "environment").read_text()
    assert f"PGPASSWORD={password}\n" in environment
    assert "sk-never" not in environment
