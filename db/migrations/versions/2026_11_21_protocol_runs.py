"""Runs that begin later, and threads that are made for one run (issue 4)."""

from collections.abc import Sequence
from importlib import import_module

from alembic import op

revision: str = "2026_11_21_protocol_runs"
down_revision: str | None = "2026_11_21_commits"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COLUMNS = """
ALTER TABLE platform.threads ADD COLUMN ephemeral BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX threads_ephemeral ON platform.threads(updated_at) WHERE ephemeral;
ALTER TABLE platform.runs ADD COLUMN scheduled_at TIMESTAMPTZ, DROP CONSTRAINT runs_status_known,
  ADD CONSTRAINT runs_status_known
    CHECK (status IN ('scheduled', 'pending', 'running', 'success', 'error', 'interrupted'));
CREATE INDEX runs_scheduled ON platform.runs(scheduled_at) WHERE status = 'scheduled';
"""

FORMER_COLUMNS = """
DROP INDEX platform.threads_ephemeral;
DROP INDEX platform.runs_scheduled;
ALTER TABLE platform.threads DROP COLUMN ephemeral;
ALTER TABLE platform.runs DROP COLUMN scheduled_at, DROP CONSTRAINT runs_status_known,
  ADD CONSTRAINT runs_status_known CHECK (status IN ('pending', 'running', 'success', 'error', 'interrupted'));
"""

# Without its time a run is the thread's next one at once.
FORMER_ROWS = """
ALTER TABLE platform.runs NO FORCE ROW LEVEL SECURITY;
UPDATE platform.runs SET status = 'pending' WHERE status = 'scheduled';
ALTER TABLE platform.runs FORCE ROW LEVEL SECURITY;
"""

DROP_FORMER_START = """
DROP FUNCTION platform.start_run(UUID, UUID, UUID, TEXT, JSON, JSONB, TEXT, TEXT[], UUID, TEXT, BYTEA)
"""

DROP_START = """
DROP FUNCTION platform.start_run(UUID, UUID, UUID, TEXT, JSON, JSONB, TEXT, TEXT[], UUID, TEXT, BYTEA, BOOLEAN, BOOLEAN,
                                 DOUBLE PRECISION)
"""

# One round trip, under the caller's row level security. It answers with a word and does not raise.
START = """
CREATE FUNCTION platform.start_run(
  asked_run UUID, asked_thread UUID, asked_owner UUID, asked_workflow TEXT, asked_request JSON,
  thread_metadata JSONB, strategy TEXT, answers TEXT[], worker UUID, idempotency_key TEXT, request_sha256 BYTEA,
  makes_thread BOOLEAN, is_ephemeral BOOLEAN, delay_seconds DOUBLE PRECISION)
RETURNS TABLE (outcome TEXT, run_id UUID, fence BIGINT)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  held platform.threads;
  kept platform.idempotency_keys;
  head TEXT;
  refusal TEXT;
  is_busy BOOLEAN;
  is_claimed BOOLEAN;
  is_scheduled BOOLEAN;
BEGIN
  PERFORM set_config('app.user_id', asked_owner::text, true);
  -- Asked by a commit of ours that was not heard of.
  RETURN QUERY SELECT CASE WHEN r.status = 'running' AND r.worker_id = worker THEN 'claimed' ELSE r.status END,
                      r.id, r.fence FROM platform.runs AS r WHERE r.id = asked_run;
  IF FOUND THEN
    RETURN;
  END IF;
  IF idempotency_key IS NOT NULL THEN
    DELETE FROM platform.idempotency_keys AS k
    WHERE k.owner_id = asked_owner AND k.key = idempotency_key AND k.created_at < now() - interval '24 hours';
    -- Waits for another request with this key that is under way.
    INSERT INTO platform.idempotency_keys (owner_id, key, request_sha256, run_id)
    VALUES (asked_owner, idempotency_key, start_run.request_sha256, asked_run) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      SELECT * INTO kept FROM platform.idempotency_keys AS k
      WHERE k.owner_id = asked_owner AND k.key = idempotency_key FOR UPDATE;
      IF kept.request_sha256 <> start_run.request_sha256 THEN
        RETURN QUERY SELECT 'key_reused', NULL::uuid, NULL::bigint;
        RETURN;
      END IF;
      -- A run that ended without a result is no answer to give again: the request begins anew.
      UPDATE platform.idempotency_keys AS k SET run_id = asked_run, created_at = now() FROM platform.runs AS r
      WHERE k.owner_id = asked_owner AND k.key = idempotency_key AND r.id = k.run_id
        AND r.status IN ('error', 'interrupted');
      IF NOT FOUND THEN
        RETURN QUERY SELECT 'replayed', kept.run_id, NULL::bigint;
        RETURN;
      END IF;
    END IF;
  END IF;

  -- An answer makes no thread: there is nothing that it could answer.
  IF answers IS NULL AND makes_thread THEN
    INSERT INTO platform.threads (id, owner_id, workflow, metadata, ephemeral)
    VALUES (asked_thread, asked_owner, asked_workflow, thread_metadata, is_ephemeral) ON CONFLICT DO NOTHING;
  END IF;
  SELECT * INTO held FROM platform.threads AS t WHERE t.id = asked_thread FOR UPDATE;
  is_busy := EXISTS (SELECT FROM platform.runs AS r
                     WHERE r.thread_id = asked_thread AND r.status IN ('pending', 'running'));
  refusal := CASE
    WHEN held.id IS NULL OR held.workflow <> asked_workflow THEN 'no_thread'
    WHEN is_busy AND (strategy = 'reject' OR answers IS NOT NULL) THEN 'busy'
    WHEN answers IS NOT NULL AND (
      held.interrupts = '{}'::jsonb OR NOT held.interrupts ?& answers
      OR (answers = '{}' AND 1 < (SELECT count(*) FROM jsonb_object_keys(held.interrupts)))) THEN 'not_interrupted'
  END;
  IF refusal IS NOT NULL THEN
    DELETE FROM platform.idempotency_keys AS k WHERE k.owner_id = asked_owner AND k.key = idempotency_key;
    RETURN QUERY SELECT refusal, NULL::uuid, NULL::bigint;
    RETURN;
  END IF;

  IF is_busy AND strategy IN ('interrupt', 'rollback') THEN
    PERFORM platform.clear_thread(asked_thread, strategy);
    is_busy := EXISTS (SELECT FROM platform.runs AS r WHERE r.thread_id = asked_thread AND r.status = 'running');
  END IF;
  is_scheduled := delay_seconds IS NOT NULL;
  is_claimed := NOT is_busy AND worker IS NOT NULL AND NOT is_scheduled;
  IF is_claimed THEN
    SELECT c.checkpoint_id INTO head FROM checkpoints.checkpoints AS c
    WHERE c.thread_id = asked_thread::text AND c.checkpoint_ns = '' ORDER BY c.checkpoint_id DESC LIMIT 1;
  END IF;
  INSERT INTO platform.runs (id, thread_id, owner_id, workflow, request, status, fence, attempt, worker_id,
                             base_checkpoint_id, base_interrupts, created_at, started_at, scheduled_at)
  VALUES (asked_run, asked_thread, asked_owner, asked_workflow, asked_request,
          CASE WHEN is_claimed THEN 'running' WHEN is_scheduled THEN 'scheduled' ELSE 'pending' END,
          CASE WHEN is_claimed THEN held.fence + 1 ELSE 0 END,
          CASE WHEN is_claimed THEN 1 ELSE 0 END,
          CASE WHEN is_claimed THEN worker END,
          head, CASE WHEN is_scheduled THEN '{}'::jsonb ELSE held.interrupts END,
          -- Not the transaction's time: several runs may be accepted in one, and keep their order.
          clock_timestamp(), CASE WHEN is_claimed THEN now() END, now() + make_interval(secs => delay_seconds));
  -- A thread that was made through the protocol learns from its first run which workflow it is of.
  UPDATE platform.threads AS t SET updated_at = now(),
         -- A run that is scheduled leaves the thread as it is until its time has come.
         status = CASE WHEN is_scheduled THEN t.status ELSE 'busy' END,
         interrupts = CASE WHEN is_scheduled THEN t.interrupts ELSE '{}' END,
         workflow = asked_workflow,
         metadata = CASE WHEN held.workflow IS NULL THEN t.metadata || jsonb_build_object(
           'graph_id', thread_metadata->'graph_id', 'assistant_id', thread_metadata->'assistant_id')
         ELSE t.metadata END,
         fence = CASE WHEN is_claimed THEN held.fence + 1 ELSE held.fence END
  WHERE t.id = asked_thread;
  RETURN QUERY SELECT CASE WHEN is_claimed THEN 'claimed' WHEN is_scheduled THEN 'scheduled'
                           WHEN is_busy THEN 'waits' ELSE 'pending' END,
                      asked_run, CASE WHEN is_claimed THEN held.fence + 1 END;
END $$;
"""


# When it was made; null where the id is taken, by whomever.
MAKE_THREAD = """
CREATE FUNCTION platform.make_thread(asked_thread UUID, asked_owner UUID, thread_metadata JSONB)
RETURNS TIMESTAMPTZ
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made TIMESTAMPTZ;
BEGIN
  PERFORM set_config('app.user_id', asked_owner::text, true);
  INSERT INTO platform.threads (id, owner_id, metadata) VALUES (asked_thread, asked_owner, thread_metadata)
  ON CONFLICT (id) DO NOTHING RETURNING created_at INTO made;
  RETURN made;
END $$;
"""


def upgrade() -> None:
    """Add the columns, and let the function know them."""
    for ddl in (COLUMNS, DROP_FORMER_START, START, MAKE_THREAD):
        op.execute(ddl)


def downgrade() -> None:
    """Put the former function back."""
    former = import_module("db.migrations.versions.2026_11_21_starting_runs").START
    op.execute("DROP FUNCTION platform.make_thread(UUID, UUID, JSONB)")
    for ddl in (FORMER_ROWS, DROP_START, former.partition("-- Makes room on a thread")[0], FORMER_COLUMNS):
        op.execute(ddl)
