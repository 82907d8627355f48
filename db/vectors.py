"""Where vectors of documents are kept: the schema `chat_vectors`, made only where a model embeds them.

No migration: pgvector need not be there unless it is asked for, and all of it can be made anew from `chat`.
"""

from typing import Final

import psycopg
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from core.settings import SettingsError
from db.url import for_psycopg, search_path_option

NAME: Final = "vector"
_EXTENSION: Final = """
SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = %s
"""

# `documents` says how far a document has come and, after a failure, when it is tried again; `due_at` is in the
# database's own time. What a search compares belongs to one session, some thousand vectors: no approximate index is
# worth its errors there. Vectors of several models may be there at once; each is compared with its like only.
_TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS chat_vectors;
CREATE TABLE IF NOT EXISTS chat_vectors.documents (
  document_id UUID NOT NULL,
  owner_id UUID NOT NULL,
  model TEXT NOT NULL,
  is_done BOOLEAN NOT NULL DEFAULT false,
  failures INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  due_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (document_id, owner_id),
  CONSTRAINT documents_document FOREIGN KEY (document_id, owner_id)
    REFERENCES chat.documents(id, owner_id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS chat_vectors.chunks (
  document_id UUID NOT NULL,
  owner_id UUID NOT NULL,
  position INTEGER NOT NULL,
  session_id UUID NOT NULL,
  model TEXT NOT NULL,
  dimensions INTEGER NOT NULL,
  embedding {schema}.vector NOT NULL,
  PRIMARY KEY (document_id, owner_id, position),
  CONSTRAINT chunks_length CHECK ({schema}.vector_dims(embedding) = dimensions),
  CONSTRAINT chunks_chunk FOREIGN KEY (document_id, owner_id, position)
    REFERENCES chat.document_chunks(document_id, owner_id, position) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS chunks_session ON chat_vectors.chunks(session_id);
"""

_POLICIES: Final = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS owner ON {table};
CREATE POLICY owner ON {table} USING ((SELECT auth.uid()) = owner_id);
DROP POLICY IF EXISTS system ON {table};
CREATE POLICY system ON {table} USING ((SELECT auth.is_system()));
"""

# pgvector may be in any schema, so its operator is named here and nowhere else. Only what is materialised is compared:
# vectors of unlike lengths cannot be.
_NEAREST: Final = """
CREATE OR REPLACE FUNCTION chat_vectors.nearest(asked UUID, named TEXT, wanted REAL[], most INTEGER)
RETURNS TABLE (document_id UUID, "position" INTEGER, distance DOUBLE PRECISION)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH comparable AS MATERIALIZED (
    SELECT document_id, "position", embedding FROM chat_vectors.chunks
    WHERE session_id = asked AND model = named AND dimensions = cardinality(wanted))
  SELECT document_id, "position", embedding OPERATOR({schema}.<=>) wanted::{schema}.vector AS distance
  FROM comparable ORDER BY distance, document_id, "position" LIMIT most
$$;
"""


def ensure(url: str) -> None:
    """Make what vectors are kept in; idempotent. Blocking: run it in a thread, one process at a time.

    Raises:
        SettingsError: the server has no pgvector, or the owner may not switch it on.
    """
    with psycopg.connect(for_psycopg(url), options=search_path_option("pg_catalog")) as connection:
        schema = Identifier(_extension(connection))
        connection.execute(SQL(_TABLES).format(schema=schema))
        for table in ("documents", "chunks"):
            connection.execute(SQL(_POLICIES).format(table=Identifier("chat_vectors", table)))
        connection.execute(SQL(_NEAREST).format(schema=schema))


def _extension(connection: Connection) -> str:
    """Return the schema of pgvector, switched on if it is not."""
    found = connection.execute(_EXTENSION, (NAME,)).fetchone()
    if found is None:
        _switch_on(connection)
        found = connection.execute(_EXTENSION, (NAME,)).fetchone()
    return str(found[0]) if found else "public"


def _switch_on(connection: Connection) -> None:
    version = connection.info.server_version // 10_000
    known = connection.execute("SELECT count(*) > 0 FROM pg_available_extensions WHERE name = %s", (NAME,))
    if known.fetchone() != (True,):
        raise SettingsError(
            f"MODEL_EMBED is set, and this PostgreSQL server has no pgvector: install it there (Debian and Ubuntu: "
            f"the package postgresql-{version}-pgvector), or unset MODEL_EMBED: documents are then found by full text"
        )
    try:
        connection.execute("CREATE EXTENSION vector SCHEMA public")
    except InsufficientPrivilege:
        raise SettingsError(
            "MODEL_EMBED is set, and the role of DATABASE_URL may not switch pgvector on: let an administrator give "
            f"CREATE EXTENSION vector SCHEMA public; in the database {connection.info.dbname}, or unset MODEL_EMBED"
        ) from None
