"""One function for all that a run saves, under its thread's fence; items of long lists, stored once each."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_21_commits"
down_revision: str | None = "2026_11_21_thread_search"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A blob of type `items` names ranges of `seq`, in the list's order.
ITEMS = """
CREATE TABLE checkpoints.list_items (
  thread_id TEXT NOT NULL,
  checkpoint_ns TEXT NOT NULL,
  channel TEXT NOT NULL,
  seq BIGINT NOT NULL,
  type TEXT NOT NULL,
  blob BYTEA NOT NULL,
  PRIMARY KEY (thread_id, checkpoint_ns, channel, seq)
);
"""

FORGET = """
CREATE OR REPLACE FUNCTION platform.forget_thread() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM checkpoints.checkpoints WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.checkpoint_blobs WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.checkpoint_writes WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.list_items WHERE thread_id = OLD.id::text;
  RETURN NULL;
END $$;
"""

# Each part may be empty. It answers with a word and does not raise: that would undo what others commit beside it.
# A commit that was not heard of may be sent again: every part of it finds what it wrote before.
COMMIT = """
CREATE FUNCTION platform.commit_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  written JSON, blobs BYTEA[], event_seqs INTEGER[], event_names TEXT[], event_data TEXT[])
RETURNS TEXT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('app.user_id', asked_owner::text, true);
  PERFORM FROM platform.threads WHERE id = held_thread AND fence = held_fence FOR SHARE;
  IF NOT FOUND THEN
    RETURN 'lost';
  END IF;
  PERFORM platform.write_run(held_thread, held_fence, held_run, asked_owner, written, blobs,
                             event_seqs, event_names, event_data);
  RETURN 'kept';
END $$;

CREATE FUNCTION platform.write_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  written JSON, blobs BYTEA[], event_seqs INTEGER[], event_names TEXT[], event_data TEXT[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  thread TEXT := held_thread::text;
BEGIN
  IF written->'items' IS NOT NULL THEN
    INSERT INTO checkpoints.list_items (thread_id, checkpoint_ns, channel, seq, type, blob)
    SELECT thread, i.ns, i.channel, i.seq, i.type, blobs[i.at]
    FROM json_to_recordset(written->'items') AS i(ns TEXT, channel TEXT, seq BIGINT, type TEXT, at INTEGER)
    ON CONFLICT (thread_id, checkpoint_ns, channel, seq) DO UPDATE SET type = excluded.type, blob = excluded.blob;
  END IF;
  IF written->'blobs' IS NOT NULL THEN
    INSERT INTO checkpoints.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT thread, b.ns, b.channel, b.version, b.type, blobs[b.at]
    FROM json_to_recordset(written->'blobs') AS b(ns TEXT, channel TEXT, version TEXT, type TEXT, at INTEGER)
    ON CONFLICT DO NOTHING;
  END IF;
  IF written->'checkpoints' IS NOT NULL THEN
    INSERT INTO checkpoints.checkpoints
      (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    SELECT thread, c.ns, c.id, c.parent, c.checkpoint, c.metadata
    FROM json_to_recordset(written->'checkpoints')
      AS c(ns TEXT, id TEXT, parent TEXT, checkpoint JSONB, metadata JSONB)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
    DO UPDATE SET checkpoint = excluded.checkpoint, metadata = excluded.metadata;
  END IF;
  IF written->'writes' IS NOT NULL THEN
    -- Below zero are LangGraph's own channels (errors, interrupts, answers): the last one counts.
    INSERT INTO checkpoints.checkpoint_writes AS w
      (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT thread, p.ns, p.checkpoint, p.task, p.path, p.idx, p.channel, p.type, blobs[p.at]
    FROM json_to_recordset(written->'writes')
      AS p(ns TEXT, checkpoint TEXT, task TEXT, path TEXT, idx INTEGER, channel TEXT, type TEXT, at INTEGER)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
    DO UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob WHERE excluded.idx < 0;
  END IF;
  IF event_seqs IS NOT NULL THEN
    INSERT INTO platform.run_events (run_id, owner_id, fence, seq, event, data)
    SELECT held_run, asked_owner, held_fence, e.seq, e.event, e.data::json
    FROM unnest(event_seqs, event_names, event_data) AS e(seq, event, data)
    ON CONFLICT DO NOTHING;
  END IF;
END $$;

-- The same, and how the run ended: its thread is free, or goes on with its next run, which `worker` claims.
-- `ended` holds status, output, values (`null`: not copied), interrupts, error_status, error_code, error_message, and
-- whether the graph stopped before its end; the status `pending` gives the run back. `used` are model calls.
CREATE FUNCTION platform.finish_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  written JSON, blobs BYTEA[], event_seqs INTEGER[], event_names TEXT[], event_data TEXT[],
  used JSON, ended TEXT[], worker UUID)
RETURNS TABLE (outcome TEXT, following UUID, claim JSON)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  run platform.runs;
  stops_at JSONB := ended[4]::jsonb;
  kept JSONB := ended[3]::jsonb;
  successor UUID;
  taken JSON;
  result TEXT := 'kept';
BEGIN
  PERFORM set_config('app.user_id', asked_owner::text, true);
  PERFORM FROM platform.threads WHERE id = held_thread AND fence = held_fence FOR UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'lost', NULL::uuid, NULL::json;
    RETURN;
  END IF;
  SELECT * INTO run FROM platform.runs WHERE id = held_run AND status = 'running' FOR UPDATE;
  IF NOT FOUND THEN
    -- Ended by a commit of ours that was not heard of.
    RETURN QUERY SELECT 'lost', NULL::uuid, NULL::json;
    RETURN;
  END IF;
  PERFORM platform.write_run(held_thread, held_fence, held_run, asked_owner, written, blobs,
                             event_seqs, event_names, event_data);
  IF used IS NOT NULL THEN
    INSERT INTO platform.usage (run_id, user_id, role, model, input_tokens, output_tokens, latency_ms, failed)
    SELECT held_run, asked_owner, u.role, u.model, u.input_tokens, u.output_tokens, u.latency_ms, u.failed
    FROM json_to_recordset(used) AS u(role TEXT, model TEXT, input_tokens INTEGER, output_tokens INTEGER,
                                      latency_ms INTEGER, failed BOOLEAN);
  END IF;

  IF ended[1] = 'pending' THEN
    UPDATE platform.runs SET status = 'pending', worker_id = NULL, attempt = greatest(attempt - 1, 1)
    WHERE id = held_run;
    RETURN QUERY SELECT result, held_run, NULL::json;
    RETURN;
  END IF;
  IF run.cancel_action = 'rollback' THEN
    result := 'rolled_back';
    -- Ids of checkpoints increase; blobs that nobody names do no harm.
    DELETE FROM checkpoints.checkpoints
    WHERE thread_id = held_thread::text AND checkpoint_id > coalesce(run.base_checkpoint_id, '');
    DELETE FROM checkpoints.checkpoint_writes
    WHERE thread_id = held_thread::text AND checkpoint_id > coalesce(run.base_checkpoint_id, '');
    DELETE FROM platform.runs WHERE id = held_run;
    stops_at := run.base_interrupts;
    kept := NULL;
  ELSE
    UPDATE platform.runs SET status = ended[1], output = ended[2]::json, error_status = ended[5]::integer,
           error_code = ended[6], error_message = ended[7], finished_at = now()
    WHERE id = held_run;
  END IF;
  SELECT r.id INTO successor FROM platform.runs AS r WHERE r.thread_id = held_thread AND r.status = 'pending'
  ORDER BY r.created_at, r.id LIMIT 1;
  UPDATE platform.threads AS t SET updated_at = now(), interrupts = stops_at,
    state_values = CASE WHEN kept IS NULL THEN t.state_values ELSE nullif(kept, 'null') END,
    state_updated_at = CASE WHEN kept IS NULL THEN t.state_updated_at ELSE now() END,
    status = CASE WHEN successor IS NOT NULL THEN 'busy'
                  WHEN stops_at <> '{}' OR (result = 'kept' AND (ended[8]::boolean OR ended[1] = 'interrupted'))
                    THEN 'interrupted'
                  WHEN ended[1] = 'error' AND result = 'kept' THEN 'error' ELSE 'idle' END
  WHERE t.id = held_thread;
  IF successor IS NOT NULL AND worker IS NOT NULL THEN
    SELECT to_json(c) INTO taken FROM platform.claim_run(successor, worker) AS c;
  END IF;
  RETURN QUERY SELECT result, successor, taken;
END $$;
"""


# The new functions look at the fence themselves, and answer where this one raised.
FORMER_FENCE = """
CREATE FUNCTION platform.hold_fence(thread UUID, expected BIGINT) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM 1 FROM platform.threads WHERE id = thread AND fence = expected FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the run was taken over' USING ERRCODE = 'CF001';
  END IF;
END $$;
"""


def upgrade() -> None:
    """Make the table and the functions."""
    for ddl in (ITEMS, FORGET, COMMIT):
        op.execute(ddl)
    op.execute("DROP FUNCTION platform.hold_fence(UUID, BIGINT)")


def downgrade() -> None:
    """Remove the functions; long lists that were stored as items are lost."""
    op.execute(FORMER_FENCE)
    op.execute("DROP FUNCTION platform.finish_run(UUID, BIGINT, UUID, UUID, JSON, BYTEA[], INTEGER[], TEXT[], TEXT[],"
               " JSON, TEXT[], UUID)")  # fmt: skip
    arguments = "(UUID, BIGINT, UUID, UUID, JSON, BYTEA[], INTEGER[], TEXT[], TEXT[])"
    op.execute(f"DROP FUNCTION platform.commit_run{arguments}, platform.write_run{arguments}")
    op.execute(FORGET.replace("  DELETE FROM checkpoints.list_items WHERE thread_id = OLD.id::text;\n", ""))
    op.execute("DROP TABLE checkpoints.list_items")
