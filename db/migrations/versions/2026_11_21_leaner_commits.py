"""Commits that cost PostgreSQL less, and that see for themselves whether an API key still counts (issue 4)."""

from collections.abc import Sequence
from importlib import import_module

from alembic import op

revision: str = "2026_11_21_leaner_commits"
down_revision: str | None = "2026_11_22_chat"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A run's owner is its thread's, which has the foreign key; nothing looks for runs by their owner alone.
LEANER = """
ALTER TABLE platform.runs DROP CONSTRAINT runs_owner_id_fkey;
DROP INDEX platform.runs_owner;
"""

FORMER_TABLES = """
ALTER TABLE platform.runs ADD CONSTRAINT runs_owner_id_fkey
  FOREIGN KEY (owner_id) REFERENCES auth.users(id) ON DELETE CASCADE;
CREATE INDEX runs_owner ON platform.runs(owner_id);
"""

_WRITE_ARGUMENTS = "UUID, BIGINT, UUID, UUID, JSON, JSON, JSON, JSON, BYTEA[], INTEGER, TEXT[], TEXT[]"
_FORMER_ARGUMENTS = "UUID, BIGINT, UUID, UUID, JSON, BYTEA[], INTEGER[], TEXT[], TEXT[]"
_START_ARGUMENTS = "UUID, UUID, UUID, TEXT, JSON, JSONB, TEXT, TEXT[], UUID, TEXT, BYTEA, BOOLEAN, BOOLEAN, FLOAT8"

DROP_FORMER = f"""
DROP FUNCTION platform.finish_run({_FORMER_ARGUMENTS}, JSON, TEXT[], UUID);
DROP FUNCTION platform.commit_run({_FORMER_ARGUMENTS}), platform.write_run({_FORMER_ARGUMENTS});
DROP FUNCTION platform.start_run({_START_ARGUMENTS}), platform.make_thread(UUID, UUID, JSONB);
"""

DROP_ALL = f"""
DROP FUNCTION platform.finish_run({_WRITE_ARGUMENTS}, JSON, TEXT[], UUID);
DROP FUNCTION platform.commit_run({_WRITE_ARGUMENTS}), platform.write_run({_WRITE_ARGUMENTS});
DROP FUNCTION platform.undo_run(UUID, TEXT), platform.free_thread(UUID, TEXT, JSONB, JSONB);
DROP FUNCTION platform.note_usage(UUID, UUID, JSON);
DROP FUNCTION platform.start_run({_START_ARGUMENTS}, BYTEA), platform.make_thread(UUID, UUID, JSONB, BYTEA);
DROP FUNCTION auth.is_key_of(BYTEA, UUID);
"""

# Each kind of row is a document of its own, so that each is read once. Only functions that have set the search path
# call this one: to set it again costs as much as a row.
WRITE = """
CREATE FUNCTION platform.write_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  checkpoints JSON, items JSON, channels JSON, writes JSON, blobs BYTEA[],
  first_seq INTEGER, event_names TEXT[], event_data TEXT[])
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  thread TEXT := held_thread::text;
BEGIN
  IF items IS NOT NULL THEN
    INSERT INTO checkpoints.list_items (thread_id, checkpoint_ns, channel, seq, type, blob)
    SELECT thread, i.ns, i.channel, i.seq, i.type, blobs[i.at]
    FROM json_to_recordset(items) AS i(ns TEXT, channel TEXT, seq BIGINT, type TEXT, at INTEGER)
    ON CONFLICT (thread_id, checkpoint_ns, channel, seq) DO UPDATE SET type = excluded.type, blob = excluded.blob;
  END IF;
  IF channels IS NOT NULL THEN
    INSERT INTO checkpoints.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT thread, b.ns, b.channel, b.version, b.type, blobs[b.at]
    FROM json_to_recordset(channels) AS b(ns TEXT, channel TEXT, version TEXT, type TEXT, at INTEGER)
    ON CONFLICT DO NOTHING;
  END IF;
  IF checkpoints IS NOT NULL THEN
    INSERT INTO checkpoints.checkpoints
      (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    SELECT thread, c.ns, c.id, c.parent, c.checkpoint, c.metadata
    FROM json_to_recordset(checkpoints) AS c(ns TEXT, id TEXT, parent TEXT, checkpoint JSONB, metadata JSONB)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
    DO UPDATE SET checkpoint = excluded.checkpoint, metadata = excluded.metadata;
  END IF;
  IF writes IS NOT NULL THEN
    -- Below zero are LangGraph's own channels (errors, interrupts, answers): the last one counts.
    INSERT INTO checkpoints.checkpoint_writes AS w
      (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT thread, p.ns, p.checkpoint, p.task, p.path, p.idx, p.channel, p.type, blobs[p.at]
    FROM json_to_recordset(writes)
      AS p(ns TEXT, checkpoint TEXT, task TEXT, path TEXT, idx INTEGER, channel TEXT, type TEXT, at INTEGER)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
    DO UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob WHERE excluded.idx < 0;
  END IF;
  IF event_names IS NOT NULL THEN
    INSERT INTO platform.run_events (run_id, owner_id, fence, seq, event, data)
    SELECT held_run, asked_owner, held_fence, first_seq - 1 + e.place, e.event, e.data::json
    FROM unnest(event_names, event_data) WITH ORDINALITY AS e(event, data, place)
    ON CONFLICT DO NOTHING;
  END IF;
END $$;
"""

# Each part may be empty. It answers with a word and does not raise: that would undo what others commit beside it.
# A commit that was not heard of may be sent again: every part of it finds what it wrote before.
COMMIT = """
CREATE FUNCTION platform.commit_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  checkpoints JSON, items JSON, channels JSON, writes JSON, blobs BYTEA[],
  first_seq INTEGER, event_names TEXT[], event_data TEXT[])
RETURNS TEXT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('app.user_id', asked_owner::text, true);
  PERFORM FROM platform.threads WHERE id = held_thread AND fence = held_fence FOR SHARE;
  IF NOT FOUND THEN
    RETURN 'lost';
  END IF;
  PERFORM platform.write_run(held_thread, held_fence, held_run, asked_owner, checkpoints, items, channels, writes,
                             blobs, first_seq, event_names, event_data);
  RETURN 'kept';
END $$;
"""

# `used` are model calls; the run, or its owner, may have been deleted since.
USAGE = """
CREATE FUNCTION platform.note_usage(used_by UUID, asked_owner UUID, used JSON) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO platform.usage (run_id, user_id, role, model, input_tokens, output_tokens, latency_ms, failed)
  SELECT (SELECT id FROM platform.runs WHERE id = used_by), asked_owner,
         u.role, u.model, u.input_tokens, u.output_tokens, u.latency_ms, u.failed
  FROM json_to_recordset(used) AS u(role TEXT, model TEXT, input_tokens INTEGER, output_tokens INTEGER,
                                    latency_ms INTEGER, failed BOOLEAN)
  WHERE EXISTS (SELECT FROM auth.users WHERE id = asked_owner);
END $$;
"""

# Says that nothing runs on a thread any more, and gives its next run. `kept` is its changed state: NULL where it has
# not changed, JSON's null where no copy of it is kept.
FREE = """
CREATE FUNCTION platform.free_thread(freed UUID, otherwise TEXT, stops_at JSONB, kept JSONB) RETURNS UUID
LANGUAGE plpgsql AS $$
DECLARE
  next_one platform.runs.id%TYPE;
  next_status platform.runs.status%TYPE;
BEGIN
  SELECT r.id, r.status INTO next_one, next_status FROM platform.runs AS r
  WHERE r.thread_id = freed AND r.status IN ('pending', 'running')
  ORDER BY r.status = 'running' DESC, r.created_at, r.id LIMIT 1;
  UPDATE platform.threads AS t SET updated_at = now(), interrupts = stops_at,
    state_values = CASE WHEN kept IS NULL THEN t.state_values ELSE nullif(kept, 'null') END,
    state_updated_at = CASE WHEN kept IS NULL THEN t.state_updated_at ELSE now() END,
    status = CASE WHEN next_one IS NULL THEN otherwise ELSE 'busy' END
  WHERE t.id = freed;
  RETURN CASE WHEN next_status = 'pending' THEN next_one END;
END $$;
"""

# Takes back what a run did. Ids of checkpoints increase; blobs that nobody names do no harm.
UNDO = """
CREATE FUNCTION platform.undo_run(undone UUID, base TEXT) RETURNS JSONB
LANGUAGE plpgsql AS $$
DECLARE
  gone platform.runs;
BEGIN
  DELETE FROM platform.runs WHERE id = undone RETURNING * INTO gone;
  DELETE FROM checkpoints.checkpoints WHERE thread_id = gone.thread_id::text AND checkpoint_id > coalesce(base, '');
  DELETE FROM checkpoints.checkpoint_writes
  WHERE thread_id = gone.thread_id::text AND checkpoint_id > coalesce(base, '');
  RETURN gone.base_interrupts;
END $$;
"""

# As `commit_run`, and how the run ended: its thread is free, or goes on with its next run, which `worker` claims.
# `ended` holds status, output, values (`null`: not copied), interrupts, error_status, error_code, error_message, and
# whether the graph stopped before its end; the status `pending` gives the run back.
FINISH = """
CREATE FUNCTION platform.finish_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  checkpoints JSON, items JSON, channels JSON, writes JSON, blobs BYTEA[],
  first_seq INTEGER, event_names TEXT[], event_data TEXT[],
  used JSON, ended TEXT[], worker UUID)
RETURNS TABLE (outcome TEXT, following UUID, claim JSON)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  run platform.runs;
BEGIN
  outcome := 'lost';
  PERFORM set_config('app.user_id', asked_owner::text, true);
  PERFORM FROM platform.threads WHERE id = held_thread AND fence = held_fence FOR UPDATE;
  IF NOT FOUND THEN
    RETURN NEXT;
    RETURN;
  END IF;
  -- Where nothing is found, it was ended by a commit of ours that was not heard of. Who cancels has the thread first.
  SELECT * INTO run FROM platform.runs WHERE id = held_run AND status = 'running';
  IF NOT FOUND THEN
    RETURN NEXT;
    RETURN;
  END IF;
  outcome := 'kept';
  PERFORM platform.write_run(held_thread, held_fence, held_run, asked_owner, checkpoints, items, channels, writes,
                             blobs, first_seq, event_names, event_data);
  IF used IS NOT NULL THEN
    PERFORM platform.note_usage(held_run, asked_owner, used);
  END IF;
  IF ended[1] = 'pending' THEN
    UPDATE platform.runs SET status = 'pending', worker_id = NULL, attempt = greatest(attempt - 1, 1)
    WHERE id = held_run;
    following := held_run;
    RETURN NEXT;
    RETURN;
  END IF;
  IF run.cancel_action = 'rollback' THEN
    outcome := 'rolled_back';
    run.base_interrupts := platform.undo_run(held_run, run.base_checkpoint_id);
    following := platform.free_thread(
      held_thread, CASE WHEN run.base_interrupts <> '{}' THEN 'interrupted' ELSE 'idle' END, run.base_interrupts, NULL);
  ELSE
    UPDATE platform.runs SET status = ended[1], output = ended[2]::json, error_status = ended[5]::integer,
           error_code = ended[6], error_message = ended[7], finished_at = now()
    WHERE id = held_run;
    following := platform.free_thread(
      held_thread,
      CASE WHEN ended[4] <> '{}' OR ended[8]::boolean OR ended[1] = 'interrupted' THEN 'interrupted'
           WHEN ended[1] = 'error' THEN 'error' ELSE 'idle' END,
      ended[4]::jsonb, ended[3]::jsonb);
  END IF;
  IF following IS NOT NULL AND worker IS NOT NULL THEN
    claim := (SELECT to_json(c) FROM platform.claim_run(following, worker) AS c);
  END IF;
  RETURN NEXT;
END $$;
"""

# A process knows the users of the keys it has seen lately; whether a key still counts is seen here, by the statement
# that acts for its user, and not by one of its own.
KEY = """
CREATE FUNCTION auth.is_key_of(sha256 BYTEA, asked_owner UUID) RETURNS BOOLEAN LANGUAGE sql STABLE
  RETURN EXISTS (SELECT FROM auth.identify_key(sha256) AS i WHERE i.user_id = asked_owner);
"""

MAKE_THREAD = """
CREATE FUNCTION platform.make_thread(asked_thread UUID, asked_owner UUID, thread_metadata JSONB, caller_key BYTEA)
RETURNS TABLE (outcome TEXT, made_at TIMESTAMPTZ)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('app.user_id', asked_owner::text, true);
  IF caller_key IS NOT NULL AND NOT auth.is_key_of(caller_key, asked_owner) THEN
    outcome := 'no_caller';
  ELSE
    INSERT INTO platform.threads (id, owner_id, metadata) VALUES (asked_thread, asked_owner, thread_metadata)
    ON CONFLICT (id) DO NOTHING RETURNING created_at INTO made_at;
    outcome := CASE WHEN made_at IS NULL THEN 'taken' ELSE 'made' END;
  END IF;
  RETURN NEXT;
END $$;
"""


def upgrade() -> None:
    """Replace the functions, and drop what is checked and kept twice."""
    former = import_module("db.migrations.versions.2026_11_21_protocol_runs")
    for ddl in (LEANER, DROP_FORMER, WRITE, COMMIT, USAGE, FREE, UNDO, FINISH, KEY, MAKE_THREAD, _start(former.START)):
        op.execute(ddl)


def downgrade() -> None:
    """Put the former ones back."""
    commits = import_module("db.migrations.versions.2026_11_21_commits")
    former = import_module("db.migrations.versions.2026_11_21_protocol_runs")
    for ddl in (DROP_ALL, commits.COMMIT, former.START, former.MAKE_THREAD, FORMER_TABLES):
        op.execute(ddl)


def _start(former: str) -> str:
    """Return the function that accepts runs, with the caller's key; a thread's first run looks for no checkpoint."""
    changes = {
        "delay_seconds DOUBLE PRECISION)": "delay_seconds DOUBLE PRECISION, caller_key BYTEA)",
        "  -- Asked by a commit": """\
  IF caller_key IS NOT NULL AND NOT auth.is_key_of(caller_key, asked_owner) THEN
    RETURN QUERY SELECT 'no_caller', NULL::uuid, NULL::bigint;
    RETURN;
  END IF;
  -- Asked by a commit""",
        "  IF is_claimed THEN\n    SELECT": "  IF is_claimed AND held.fence > 0 THEN\n    SELECT",
    }
    for old, new in changes.items():
        former = former.replace(old, new, 1)
    return former
