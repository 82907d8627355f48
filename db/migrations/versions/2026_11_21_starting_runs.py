"""Accept, check and claim a run in one statement; double texting; requests that may be repeated (X018, X019)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_21_starting_runs"
down_revision: str | None = "2026_11_21_phone_login"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = """
CREATE TABLE platform.idempotency_keys (
  owner_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  request_sha256 BYTEA NOT NULL,
  run_id UUID NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (owner_id, key),
  CONSTRAINT idempotency_keys_run FOREIGN KEY (run_id, owner_id)
    REFERENCES platform.runs(id, owner_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX idempotency_keys_created ON platform.idempotency_keys(created_at);
CREATE INDEX idempotency_keys_run_id ON platform.idempotency_keys(run_id);
ALTER TABLE platform.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON platform.idempotency_keys USING ((SELECT auth.uid()) = owner_id);
CREATE POLICY system ON platform.idempotency_keys USING ((SELECT auth.is_system()));
"""

# One round trip, under the caller's row level security. It answers with a word and does not raise.
START = """
CREATE FUNCTION platform.start_run(
  asked_run UUID, asked_thread UUID, asked_owner UUID, asked_workflow TEXT, asked_request JSON,
  thread_metadata JSONB, strategy TEXT, answers TEXT[], worker UUID, idempotency_key TEXT, request_sha256 BYTEA)
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
BEGIN
  PERFORM set_config('app.user_id', asked_owner::text, true);
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
  IF answers IS NULL THEN
    INSERT INTO platform.threads (id, owner_id, workflow, metadata)
    VALUES (asked_thread, asked_owner, asked_workflow, thread_metadata) ON CONFLICT DO NOTHING;
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
  is_claimed := NOT is_busy AND worker IS NOT NULL;
  IF is_claimed THEN
    SELECT c.checkpoint_id INTO head FROM checkpoints.checkpoints AS c
    WHERE c.thread_id = asked_thread::text AND c.checkpoint_ns = '' ORDER BY c.checkpoint_id DESC LIMIT 1;
  END IF;
  INSERT INTO platform.runs (id, thread_id, owner_id, workflow, request, status, fence, attempt, worker_id,
                             base_checkpoint_id, base_interrupts, started_at)
  VALUES (asked_run, asked_thread, asked_owner, asked_workflow, asked_request,
          CASE WHEN is_claimed THEN 'running' ELSE 'pending' END,
          CASE WHEN is_claimed THEN held.fence + 1 ELSE 0 END,
          CASE WHEN is_claimed THEN 1 ELSE 0 END,
          CASE WHEN is_claimed THEN worker END,
          head, held.interrupts, CASE WHEN is_claimed THEN now() END);
  -- A thread that was made through the protocol learns from its first run which workflow it is of.
  UPDATE platform.threads AS t SET status = 'busy', updated_at = now(), interrupts = '{}',
         workflow = asked_workflow,
         metadata = CASE WHEN held.workflow IS NULL THEN t.metadata || jsonb_build_object(
           'graph_id', thread_metadata->'graph_id', 'assistant_id', thread_metadata->'assistant_id')
         ELSE t.metadata END,
         fence = CASE WHEN is_claimed THEN held.fence + 1 ELSE held.fence END
  WHERE t.id = asked_thread;
  RETURN QUERY SELECT CASE WHEN is_claimed THEN 'claimed' WHEN is_busy THEN 'waits' ELSE 'pending' END,
                      asked_run, CASE WHEN is_claimed THEN held.fence + 1 END;
END $$;

-- Makes room on a thread: what waits ends at once, what runs is told to.
CREATE FUNCTION platform.clear_thread(crowded UUID, action TEXT) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told UUID;
BEGIN
  IF action = 'rollback' THEN
    DELETE FROM platform.runs WHERE thread_id = crowded AND status = 'pending';
  ELSE
    UPDATE platform.runs SET status = 'interrupted', cancel_action = action, finished_at = now()
    WHERE thread_id = crowded AND status = 'pending';
  END IF;
  FOR told IN UPDATE platform.runs SET cancel_action = action
              WHERE thread_id = crowded AND status = 'running' RETURNING id LOOP
    PERFORM pg_notify('colloquy_runs', 'cancel:' || told);
  END LOOP;
END $$;
"""


def upgrade() -> None:
    """Make the functions and what they need."""
    for ddl in (TABLES, START):
        op.execute(ddl)


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP FUNCTION platform.clear_thread(UUID, TEXT)")
    op.execute("DROP FUNCTION platform.start_run(UUID, UUID, UUID, TEXT, JSON, JSONB, TEXT, TEXT[], UUID, TEXT, BYTEA)")
    op.execute("DROP TABLE platform.idempotency_keys")
