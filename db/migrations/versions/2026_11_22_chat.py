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

# A quick message in one statement, and its answer in another: statement by statement they would take longer than all
# else that is done beside the model. They answer with a word and do not raise. `other` says that nothing was done,
# because more has to be looked at: a draft waits, or the last message has no answer.
QUICK = """
CREATE FUNCTION chat.ask(
  asked UUID, known_owner UUID, whose TEXT, turn UUID, said TEXT, at TIMESTAMPTZ, lease_seconds DOUBLE PRECISION,
  past_turns INTEGER)
RETURNS TABLE (outcome TEXT, owner_id UUID, thread_id UUID, memory JSONB, ttl_seconds INTEGER, expires_at TIMESTAMPTZ,
               past JSONB)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  holder UUID := coalesce(known_owner, chat.find_owner(whose));
  held chat.sessions;
  waits BOOLEAN;
  is_running BOOLEAN;
  newest chat.messages;
BEGIN
  PERFORM set_config('app.user_id', coalesce(holder::text, ''), true);
  SELECT * INTO held FROM chat.sessions AS s WHERE s.id = asked AND s.owner_id = holder FOR NO KEY UPDATE;
  IF NOT FOUND OR held.closed_at IS NOT NULL OR held.expires_at <= at THEN
    outcome := 'expired';
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT t.interrupts <> '{}', EXISTS (
    SELECT FROM platform.runs AS r WHERE r.thread_id = t.id AND r.status IN ('pending', 'running'))
  INTO waits, is_running FROM platform.threads AS t WHERE t.id = held.thread_id;
  SELECT * INTO newest FROM chat.messages AS m
  WHERE m.session_id = asked AND m.owner_id = holder ORDER BY m.number DESC LIMIT 1;
  -- Whose answer is there has nothing to keep others out for.
  IF is_running OR (held.leased_until > now()
                    AND (newest.turn_id, newest.role) IS DISTINCT FROM (held.leased_by, 'assistant')) THEN
    outcome := 'busy';
  ELSIF waits OR newest.role = 'user' THEN
    outcome := 'other';
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT jsonb_agg(jsonb_build_object('role', m.role, 'content',
           left(coalesce(nullif(m.answer->'content_sections'->>'output', ''), m.content), 2000)) ORDER BY m.number)
  INTO past FROM chat.messages AS m WHERE m.session_id = asked AND m.owner_id = holder AND m.turn_id IN (
    SELECT a.turn_id FROM chat.messages AS a WHERE a.session_id = asked AND a.owner_id = holder
      AND a.role = 'assistant' ORDER BY a.number DESC LIMIT past_turns);
  INSERT INTO chat.messages (session_id, owner_id, number, turn_id, role, mode, content, created_at)
  VALUES (asked, holder, coalesce(newest.number, 0) + 1, turn, 'user', 'chat', said, at);
  UPDATE chat.sessions AS s SET expires_at = at + make_interval(secs => s.ttl_seconds), updated_at = at,
    leased_by = turn, leased_until = now() + make_interval(secs => lease_seconds)
  WHERE s.id = asked RETURNING s.expires_at INTO expires_at;
  outcome := 'asked';
  owner_id := holder;
  thread_id := held.thread_id;
  memory := held.memory;
  ttl_seconds := held.ttl_seconds;
  past := coalesce(past, '[]');
  RETURN NEXT;
END $$;

-- Stores a quick answer (none, where the model failed) with what it used, and lets others ask again; false where the
-- session is gone. `used` are model calls.
CREATE FUNCTION chat.keep_reply(
  asked UUID, holder UUID, turn UUID, said TEXT, used JSON, at TIMESTAMPTZ)
RETURNS BOOLEAN
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('app.user_id', holder::text, true);
  INSERT INTO platform.usage (user_id, role, model, input_tokens, output_tokens, latency_ms, failed)
  SELECT holder, u.role, u.model, u.input_tokens, u.output_tokens, u.latency_ms, u.failed
  FROM json_to_recordset(used) AS u(role TEXT, model TEXT, input_tokens INTEGER, output_tokens INTEGER,
                                    latency_ms INTEGER, failed BOOLEAN);
  PERFORM FROM chat.sessions AS s WHERE s.id = asked AND s.owner_id = holder FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF said IS NOT NULL THEN
    INSERT INTO chat.messages (session_id, owner_id, number, turn_id, role, mode, content, created_at)
    SELECT asked, holder, coalesce(max(m.number), 0) + 1, turn, 'assistant', 'chat', said, at
    FROM chat.messages AS m WHERE m.session_id = asked AND m.owner_id = holder
    ON CONFLICT ON CONSTRAINT messages_turn DO NOTHING;
  END IF;
  UPDATE chat.sessions AS s SET leased_by = NULL, leased_until = NULL WHERE s.id = asked AND s.leased_by = turn;
  RETURN true;
END $$;
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
    op.execute(QUICK)


def downgrade() -> None:
    """Remove deep chat; the principals of its users stay."""
    op.execute("DROP SCHEMA IF EXISTS chat_vectors CASCADE")
    op.execute("DROP SCHEMA chat CASCADE")
