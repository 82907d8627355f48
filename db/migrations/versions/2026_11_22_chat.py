"""Deep chat (003): users of the frontend, sessions, messages, documents and their chunks (D006, G36–G39, K20)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_22_chat"
down_revision: str | None = "2026_11_21_interpret"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = """
CREATE SCHEMA chat;
CREATE TABLE chat.users (
  owner_id UUID PRIMARY KEY REFERENCES auth.users(id) ON DELETE CASCADE,
  user_id TEXT NOT NULL UNIQUE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE chat.sessions (
  id UUID PRIMARY KEY,
  owner_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  thread_id UUID NOT NULL UNIQUE,
  memory JSONB NOT NULL DEFAULT '{}',
  ttl_seconds INTEGER NOT NULL DEFAULT 3600,
  expires_at TIMESTAMPTZ NOT NULL,
  leased_by UUID,
  leased_until TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  closed_at TIMESTAMPTZ,
  CONSTRAINT sessions_id_owner UNIQUE (id, owner_id)
);
CREATE INDEX sessions_owner_updated ON chat.sessions(owner_id, updated_at DESC, id DESC);
CREATE INDEX sessions_expires ON chat.sessions(expires_at, id);

-- The owner is in the keys of what hangs on a session: else they would tell what others have.
CREATE TABLE chat.messages (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  owner_id UUID NOT NULL,
  session_id UUID NOT NULL,
  number INTEGER NOT NULL,
  turn_id UUID NOT NULL,
  role TEXT NOT NULL DEFAULT 'user' CONSTRAINT messages_role_known CHECK (role IN ('user', 'assistant')),
  mode TEXT NOT NULL DEFAULT 'chat' CONSTRAINT messages_mode_known CHECK (mode IN ('chat', 'deep')),
  content TEXT NOT NULL,
  tags JSONB NOT NULL DEFAULT '[]',
  answer JSONB,
  is_draft BOOLEAN NOT NULL DEFAULT false,
  saved_turn TEXT,
  request_key TEXT,
  request_sha256 BYTEA,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT messages_number UNIQUE (session_id, owner_id, number),
  CONSTRAINT messages_turn UNIQUE (session_id, owner_id, turn_id, role),
  CONSTRAINT messages_session FOREIGN KEY (session_id, owner_id)
    REFERENCES chat.sessions(id, owner_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX messages_request_key ON chat.messages(owner_id, request_key) WHERE request_key IS NOT NULL;

CREATE TABLE chat.documents (
  id UUID PRIMARY KEY,
  owner_id UUID NOT NULL,
  session_id UUID NOT NULL,
  filename TEXT NOT NULL,
  kind TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  characters INTEGER NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT documents_id_owner UNIQUE (id, owner_id),
  CONSTRAINT documents_session FOREIGN KEY (session_id, owner_id)
    REFERENCES chat.sessions(id, owner_id) ON DELETE CASCADE
);
CREATE INDEX documents_session_created ON chat.documents(session_id, created_at, id);

CREATE TABLE chat.document_chunks (
  document_id UUID NOT NULL,
  owner_id UUID NOT NULL,
  position INTEGER NOT NULL,
  session_id UUID NOT NULL,
  text TEXT NOT NULL,
  tokens TSVECTOR NOT NULL,
  PRIMARY KEY (document_id, owner_id, position),
  CONSTRAINT document_chunks_document FOREIGN KEY (document_id, owner_id)
    REFERENCES chat.documents(id, owner_id) ON DELETE CASCADE
);
CREATE INDEX document_chunks_session ON chat.document_chunks(session_id);
CREATE INDEX document_chunks_tokens ON chat.document_chunks USING gin (tokens);
"""

_OWNED = ("users", "sessions", "messages", "documents", "document_chunks")

# A session is found by its id alone only where the id is the capability (K20); who owns it is the caller's to compare.
ENTRY_POINTS = """
CREATE FUNCTION chat.find_owner(whose TEXT) RETURNS UUID
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT owner_id FROM chat.users WHERE user_id = whose
$$;

CREATE FUNCTION chat.make_owner(whose TEXT, at TIMESTAMPTZ) RETURNS UUID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found UUID;
BEGIN
  SELECT owner_id INTO found FROM chat.users WHERE user_id = whose;
  IF found IS NOT NULL THEN
    RETURN found;
  END IF;
  -- Two requests at once for one new name must not both make a principal.
  PERFORM pg_advisory_xact_lock(hashtextextended('chat.users ' || whose, 0));
  SELECT owner_id INTO found FROM chat.users WHERE user_id = whose;
  IF found IS NULL THEN
    INSERT INTO auth.users DEFAULT VALUES RETURNING id INTO found;
    INSERT INTO chat.users (owner_id, user_id, created_at) VALUES (found, whose, at);
  END IF;
  RETURN found;
END $$;

CREATE FUNCTION chat.owner_of_session(asked UUID) RETURNS UUID
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.owner_id FROM chat.sessions AS s JOIN chat.users AS u ON u.owner_id = s.owner_id WHERE s.id = asked
$$;
"""


def upgrade() -> None:
    """Make the tables, closed to everybody but the owner and the system role, and the entry points."""
    op.execute(TABLES)
    for table in _OWNED:
        op.execute(f"ALTER TABLE chat.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE chat.{table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY owner ON chat.{table} USING ((SELECT auth.uid()) = owner_id)")
        op.execute(f"CREATE POLICY system ON chat.{table} USING ((SELECT auth.is_system()))")
    op.execute(ENTRY_POINTS)


def downgrade() -> None:
    """Remove deep chat; the principals of its users stay."""
    op.execute("DROP SCHEMA chat CASCADE")
