"""Identity, the run engine's tables, voice calls."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_21_first_light"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

AUTH = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  is_admin BOOLEAN NOT NULL DEFAULT false,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE
  RETURN nullif(current_setting('app.user_id', true), '')::uuid;
CREATE TABLE auth.api_keys (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  key_sha256 BYTEA NOT NULL UNIQUE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  revoked_at TIMESTAMPTZ
);
CREATE INDEX ix_auth_api_keys_user_id ON auth.api_keys(user_id);
"""

PLATFORM = """
CREATE SCHEMA checkpoints;
CREATE SCHEMA jobs;
CREATE SCHEMA platform;
CREATE TABLE platform.threads (
  id UUID PRIMARY KEY,
  owner_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  workflow TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'idle'
    CONSTRAINT threads_status_known CHECK (status IN ('idle', 'busy', 'interrupted', 'error')),
  metadata JSONB NOT NULL DEFAULT '{}',
  interrupts JSONB NOT NULL DEFAULT '{}',
  fence BIGINT NOT NULL DEFAULT 0,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX threads_owner_updated ON platform.threads(owner_id, updated_at DESC);

CREATE TABLE platform.runs (
  id UUID PRIMARY KEY,
  thread_id UUID NOT NULL REFERENCES platform.threads(id) ON DELETE CASCADE,
  owner_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  workflow TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending'
    CONSTRAINT runs_status_known CHECK (status IN ('pending', 'running', 'success', 'error', 'interrupted')),
  request JSON NOT NULL,
  base_checkpoint_id TEXT,
  fence BIGINT NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  worker_id UUID,
  cancel_requested BOOLEAN NOT NULL DEFAULT false,
  output JSON,
  error_status INTEGER,
  error_code TEXT,
  error_message TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX runs_one_running ON platform.runs(thread_id) WHERE status = 'running';
CREATE INDEX runs_unfinished ON platform.runs(created_at) WHERE status IN ('pending', 'running');
CREATE INDEX runs_thread_created ON platform.runs(thread_id, created_at DESC);
CREATE INDEX runs_owner ON platform.runs(owner_id);

CREATE TABLE platform.run_events (
  run_id UUID NOT NULL REFERENCES platform.runs(id) ON DELETE CASCADE,
  fence BIGINT NOT NULL,
  seq INTEGER NOT NULL,
  event TEXT NOT NULL,
  data JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, fence, seq)
);

CREATE TABLE platform.workers (
  id UUID PRIMARY KEY,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  seen_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE platform.usage (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id UUID REFERENCES platform.runs(id) ON DELETE SET NULL,
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  model TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  failed BOOLEAN NOT NULL DEFAULT false,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX usage_user_created ON platform.usage(user_id, created_at DESC);
CREATE INDEX usage_run ON platform.usage(run_id);

-- Every write of a run calls this in its own transaction: it holds the thread's row against a new claim
-- until commit, and stops a writer whose run was taken over.
CREATE FUNCTION platform.hold_fence(thread UUID, expected BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM platform.threads WHERE id = thread AND fence = expected FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the run was taken over' USING ERRCODE = 'CF001';
  END IF;
END $$;
"""

# The seed's DDL (002, section 1.1) as it stands, with W24's index and the thread of the summaries added.
CALLS = """
CREATE TABLE public.agents (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID REFERENCES auth.users(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  type VARCHAR(50) NOT NULL DEFAULT 'voice',
  system_prompt TEXT,
  greeting TEXT,
  config JSONB NOT NULL DEFAULT '{}',
  is_active BOOLEAN NOT NULL DEFAULT true,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_agents_user_id ON public.agents(user_id);

CREATE TYPE public.call_hangup_reason AS ENUM ('user', 'ai', 'timeout', 'silence', 'error');

CREATE TABLE public.call_records (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  agent_id UUID NOT NULL REFERENCES public.agents(id),
  caller_name VARCHAR(255),
  caller_phone VARCHAR(50),
  caller_app VARCHAR(50),
  start_time TIMESTAMP WITH TIME ZONE NOT NULL,
  end_time TIMESTAMP WITH TIME ZONE,
  duration_seconds INTEGER,
  hangup_reason public.call_hangup_reason,
  messages JSONB NOT NULL DEFAULT '[]',
  summary TEXT,
  metadata JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
  summary_thread_id UUID
);
CREATE INDEX idx_call_records_user_id ON public.call_records(user_id);
CREATE INDEX idx_call_records_agent_id ON public.call_records(agent_id);
CREATE INDEX idx_call_records_start_time ON public.call_records(start_time DESC);
CREATE INDEX idx_call_records_user_start ON public.call_records(user_id, start_time DESC, id DESC);
CREATE INDEX idx_call_records_user_agent_start
  ON public.call_records(user_id, agent_id, start_time DESC, id DESC);
"""


def upgrade() -> None:
    """Make the tables."""
    for ddl in (AUTH, PLATFORM, CALLS):
        op.execute(ddl)


def downgrade() -> None:
    """Remove the tables with all that is in them, LangGraph's and procrastinate's included."""
    op.execute("DROP TABLE public.call_records, public.agents")
    op.execute("DROP TYPE public.call_hangup_reason")
    for schema in ("platform", "jobs", "checkpoints", "auth"):
        op.execute(f"DROP SCHEMA {schema} CASCADE")
