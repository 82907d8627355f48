"""Interpret and execute (001): users, sessions, logs, tools, the journal of tool calls (B016–B019, G19, G22)."""

from collections.abc import Sequence
from importlib import import_module

from alembic import op

revision: str = "2026_11_21_interpret"
down_revision: str | None = "2026_11_21_forgetting"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

USERS = """
CREATE SCHEMA interpret;
CREATE TABLE interpret.users (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  username VARCHAR(64) NOT NULL UNIQUE,
  contacts JSONB,
  wallets JSONB,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  auth_user_id UUID NOT NULL UNIQUE REFERENCES auth.users(id) ON DELETE CASCADE
);
"""

# A session's thread may not be there yet: its first run makes it.
SESSIONS = """
CREATE TABLE interpret.sessions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id VARCHAR(128) NOT NULL,
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  thread_id UUID NOT NULL UNIQUE,
  status TEXT NOT NULL DEFAULT 'interpreting' CONSTRAINT sessions_status_known
    CHECK (status IN ('interpreting', 'awaiting_confirm', 'executing', 'done', 'failed')),
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (user_id, session_id),
  UNIQUE (id, user_id)
);
CREATE TABLE interpret.logs (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  session_id UUID NOT NULL,
  user_id UUID NOT NULL,
  key TEXT NOT NULL,
  step TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'success' CONSTRAINT logs_status_known CHECK (status IN ('success', 'failed')),
  message TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (session_id, key),
  CONSTRAINT logs_session FOREIGN KEY (session_id, user_id)
    REFERENCES interpret.sessions(id, user_id) ON DELETE CASCADE
);
CREATE INDEX logs_session_order ON interpret.logs(session_id, id);
"""

TOOLS = """
CREATE TABLE interpret.tools (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  input_schema JSONB NOT NULL,
  server TEXT NOT NULL,
  enabled BOOLEAN NOT NULL DEFAULT true,
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX tools_disabled ON interpret.tools(name) WHERE NOT enabled;
"""

# Arguments may be personal: the journal keeps their hash. The foreign key's own index serves a thread's deletion.
TOOL_CALLS = """
CREATE TABLE interpret.tool_calls (
  user_id UUID NOT NULL,
  call_id UUID NOT NULL,
  thread_id UUID NOT NULL,
  step TEXT NOT NULL,
  tool TEXT NOT NULL,
  server TEXT NOT NULL,
  arguments_sha256 BYTEA NOT NULL,
  state TEXT NOT NULL DEFAULT 'sent' CONSTRAINT tool_calls_state_known CHECK (state IN ('sent', 'done')),
  outcome JSONB CONSTRAINT tool_calls_outcome_bounded CHECK (pg_column_size(outcome) <= 4194304),
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  finished_at TIMESTAMPTZ,
  PRIMARY KEY (user_id, call_id),
  CONSTRAINT tool_calls_thread FOREIGN KEY (thread_id, user_id)
    REFERENCES platform.threads(id, owner_id) ON DELETE CASCADE
);
CREATE INDEX tool_calls_thread_order ON interpret.tool_calls(thread_id, created_at);
CREATE INDEX tool_calls_created ON interpret.tool_calls(created_at);
"""

OWNED = {
    "interpret.users": "auth_user_id",
    "interpret.sessions": "user_id",
    "interpret.logs": "user_id",
    "interpret.tool_calls": "user_id",
}

# A session is nothing without its thread.
FORGET = """
CREATE OR REPLACE FUNCTION platform.forget_thread() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM checkpoints.checkpoints WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.checkpoint_blobs WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.checkpoint_writes WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.list_items WHERE thread_id = OLD.id::text;
  UPDATE public.call_records SET summary_thread_id = NULL WHERE summary_thread_id = OLD.id;
  DELETE FROM interpret.sessions WHERE thread_id = OLD.id;
  RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Make the tables, each closed to everybody but its owner."""
    for ddl in (USERS, SESSIONS, TOOLS, TOOL_CALLS):
        op.execute(ddl)
    for table, owner in OWNED.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY owner ON {table} USING ((SELECT auth.uid()) = {owner})")
        op.execute(f"CREATE POLICY system ON {table} USING ((SELECT auth.is_system()))")
    op.execute(FORGET)


def downgrade() -> None:
    """Remove them; threads stay."""
    op.execute(import_module("db.migrations.versions.2026_11_21_forgetting").FORGET)
    op.execute("DROP SCHEMA interpret CASCADE")
