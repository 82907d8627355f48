"""The database roles: the owner migrates, the application obeys row level security, the system sweeps (X031).

`DATABASE_URL` names the owner. The other two, `<database>_app` and `<database>_system`, are made by each migration;
their passwords follow from the owner's, so every process on every machine knows them without keeping anything.
"""

import hashlib
import hmac
from typing import Final, Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Composable, Identifier
from psycopg.sql import Literal as Quoted

from core.settings import SettingsError
from db.url import for_psycopg

Kind = Literal["app", "system"]
KINDS: Final[tuple[Kind, ...]] = ("app", "system")
# PostgreSQL cuts names at 63 bytes; `auth.is_system` compares the whole name.
_LONGEST_DATABASE: Final = 63 - len("_system")

# What the application may do with tables, by schema; tables named after it are for the system role only.
_SCHEMAS: Final = (
    *("auth", "audio", "chat", "chat_vectors", "counseling", "interpret", "platform", "public"),
    *("checkpoints", "jobs"),
)
_READ_ONLY: Final = frozenset(
    {
        *("auth.users", "audio.users", "audio.skills", "chat.users", "interpret.tools", "public.alembic_version"),
        *("counseling.users", "counseling.visitor_templates", "counseling.assistant_students"),
        "counseling.weekly_compliance",
    }
)
_CLOSED: Final = frozenset(
    {
        *("auth.api_keys", "audio.verification_codes", "platform.workers", "platform.retention"),
        *("counseling.whitelist_emails", "counseling.email_codes"),
        # A view reads as its owner does, whom no policy binds where he is a superuser.
        "auth.valid_keys",
    }
)
# What is handed in is not taken back: rows may be added, and of those that are there only these columns change.
_ADDED: Final[dict[str, tuple[str, ...]]] = {
    "counseling.visitor_instances": ("long_term_memory",),
    "counseling.sessions": (
        *("chat_history", "session_diary", "pre_session_activity", "homework", "fallbacks", "finalized_at"),
        "remaking",
        *("finalize_thread_id", "reply_thread_id"),
    ),
    "counseling.long_term_memory_versions": ("content", "created_at"),
    "counseling.thought_records": (),
    "counseling.questions": ("status", "answer", "answered_by", "answered_at"),
    "counseling.assistant_feedback": (),
}


def role_url(owner_url: str, kind: Kind) -> str:
    """Return the URL that connects as a role.

    Raises:
        SettingsError: the owner's URL names no database or holds no password.
    """
    parts = urlsplit(for_psycopg(owner_url))
    database = unquote(parts.path.removeprefix("/"))
    if not database or parts.password is None:
        raise SettingsError(
            "DATABASE_URL must have the form postgresql://owner:password@host/database: the passwords of the "
            "application's own roles follow from the owner's"
        )
    if len(database.encode()) > _LONGEST_DATABASE:
        raise SettingsError(f"DATABASE_URL: the name of the database may have {_LONGEST_DATABASE} bytes at most")
    user = f"{quote(role_name(database, kind))}:{_password(unquote(parts.password), database, kind)}"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}"))


def role_name(database: str, kind: Kind) -> str:
    """Return a role's name: it follows the database's, because roles belong to a whole cluster."""
    return f"{database}_{kind}"


def _password(owners: str, database: str, kind: Kind) -> str:
    return hmac.new(owners.encode(), f"colloquy:{database}:{kind}".encode(), hashlib.sha256).hexdigest()


def ensure(connection: Connection, owner_url: str) -> None:
    """Make or correct both roles and what they may do; idempotent, in the connection's transaction. Blocking.

    In the transaction of a migration, because requests must find a new function together with the right to use it.

    Raises:
        SettingsError: the owner may not make roles.
    """
    try:
        for kind in KINDS:
            _ensure_role(connection, role_url(owner_url, kind))
        _grant(connection)
        _hand_over_entry_points(connection)
    except InsufficientPrivilege as error:
        raise SettingsError(
            "The role of DATABASE_URL must own the database's tables and have CREATEROLE: the application works "
            f"under roles of its own, which a migration makes ({error.diag.message_primary})"
        ) from None


def _ensure_role(connection: Connection, url: str) -> None:
    parts = urlsplit(url)
    name = unquote(parts.username or "")
    known = connection.execute(
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = %s",
        (name,),
    ).fetchone()
    if known is None:
        connection.execute(SQL("CREATE ROLE {}").format(Identifier(name)))
    elif known[0]:
        connection.execute(
            SQL("ALTER ROLE {} NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB").format(Identifier(name))
        )
    # The verifier, not the password: statements may be logged.
    verifier = connection.pgconn.encrypt_password((parts.password or "").encode(), name.encode(), b"scram-sha-256")
    connection.execute(SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(Identifier(name), Quoted(verifier.decode())))


def _grant(connection: Connection) -> None:
    app, system = _roles(connection)
    # Who may make temporary objects may put them before the real ones.
    _run(connection, "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", Identifier(connection.info.dbname))
    known = {str(row[0]) for row in connection.execute("SELECT nspname FROM pg_namespace")}
    for schema in map(Identifier, known.intersection(_SCHEMAS)):
        for role in (app, system):
            _run(connection, "GRANT USAGE ON SCHEMA {} TO {}", schema, role)
            for privileges, things in _PRIVILEGES.items():
                _run(connection, f"GRANT {privileges} ON ALL {things} IN SCHEMA {{}} TO {{}}", schema, role)
    for table in filter(lambda name: _exists(connection, name), (*_READ_ONLY, *_CLOSED)):
        _run(connection, "REVOKE INSERT, UPDATE, DELETE ON {} FROM {}", Identifier(*table.split(".")), app)
    for table in filter(lambda name: _exists(connection, name), _CLOSED):
        _run(connection, "REVOKE SELECT ON {} FROM {}", Identifier(*table.split(".")), app)
    for table, columns in _ADDED.items():
        if _exists(connection, table):
            name = Identifier(*table.split("."))
            _run(connection, "REVOKE UPDATE, DELETE ON {} FROM {}", name, app)
            if columns:
                _run(connection, "GRANT UPDATE ({}) ON {} TO {}", SQL(", ").join(map(Identifier, columns)), name, app)


def _exists(connection: Connection, table: str) -> bool:
    return connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone() == (True,)


_PRIVILEGES: Final = {
    "SELECT, INSERT, UPDATE, DELETE": "TABLES",
    "USAGE, SELECT": "SEQUENCES",
    "EXECUTE": "FUNCTIONS",
}


def _hand_over_entry_points(connection: Connection) -> None:
    """Let SECURITY DEFINER functions work as the system role, under which their policies let them see all rows."""
    _app, system = _roles(connection)
    _run(connection, "GRANT {} TO CURRENT_USER", system)
    functions = connection.execute(_ENTRY_POINTS, (list(_SCHEMAS),)).fetchall()
    for schema in sorted({schema for schema, _, _ in functions}):
        _run(connection, "GRANT CREATE ON SCHEMA {} TO {}", Identifier(schema), system)
    for schema, name, arguments in functions:
        function = SQL("{}({})").format(Identifier(schema, name), SQL(arguments))
        _run(connection, "ALTER FUNCTION {} SET search_path = pg_catalog, pg_temp", function)
        _run(connection, "ALTER FUNCTION {} OWNER TO {}", function, system)
        _run(connection, "REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC", function)
    for schema in sorted({schema for schema, _, _ in functions}):
        _run(connection, "REVOKE CREATE ON SCHEMA {} FROM {}", Identifier(schema), system)


_ENTRY_POINTS: Final = """
SELECT n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname = ANY(%s)
"""


def _roles(connection: Connection) -> tuple[Identifier, Identifier]:
    database = connection.info.dbname
    return Identifier(role_name(database, "app")), Identifier(role_name(database, "system"))


def _run(connection: Connection, statement: str, *parts: Composable) -> None:
    connection.execute(SQL(statement).format(*parts))
