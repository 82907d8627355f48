"""A run's commits bring their values in one piece, and look at the run as well as at its thread's fence (issue 4)."""

from collections.abc import Sequence
from importlib import import_module

from alembic import op

revision: str = "2026_11_22_packed_commits"
down_revision: str | None = "2026_11_22_chat_past"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WRITE_ARGUMENTS = "UUID, BIGINT, UUID, UUID, JSON, JSON, JSON, JSON, JSON, BYTEA"
_FORMER_ARGUMENTS = "UUID, BIGINT, UUID, UUID, JSON, JSON, JSON, JSON, BYTEA[], INTEGER, TEXT[], TEXT[]"

DROP_FORMER = f"""
DROP FUNCTION platform.finish_run({_FORMER_ARGUMENTS}, JSON, TEXT[], UUID);
DROP FUNCTION platform.commit_run({_FORMER_ARGUMENTS}), platform.write_run({_FORMER_ARGUMENTS});
"""

DROP = f"""
DROP FUNCTION platform.finish_run({_WRITE_ARGUMENTS}, JSON, JSON, UUID);
DROP FUNCTION platform.commit_run({_WRITE_ARGUMENTS}), platform.write_run({_WRITE_ARGUMENTS});
DROP FUNCTION platform.part(BYTEA, INTEGER, INTEGER);
"""

# The documents say where in `packed` each value is: what is long is not read as JSON before it is stored as such, and
# bytes need no list. Only functions that have set the search path call this one: to set it again costs as much as a
# row.
WRITE = """
CREATE FUNCTION platform.part(packed BYTEA, at INTEGER, len INTEGER) RETURNS TEXT LANGUAGE sql IMMUTABLE
  RETURN convert_from(substring(packed FROM at FOR len), 'UTF8');

CREATE FUNCTION platform.write_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  checkpoints JSON, items JSON, channels JSON, writes JSON, events JSON, packed BYTEA)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  thread TEXT := held_thread::text;
BEGIN
  IF items IS NOT NULL THEN
    INSERT INTO checkpoints.list_items (thread_id, checkpoint_ns, channel, seq, type, blob)
    SELECT thread, i.ns, i.channel, i.seq, i.type, substring(packed FROM i.at FOR i.len)
    FROM json_to_recordset(items) AS i(ns TEXT, channel TEXT, seq BIGINT, type TEXT, at INTEGER, len INTEGER)
    ON CONFLICT (thread_id, checkpoint_ns, channel, seq) DO UPDATE SET type = excluded.type, blob = excluded.blob;
  END IF;
  IF channels IS NOT NULL THEN
    INSERT INTO checkpoints.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT thread, b.ns, b.channel, b.version, b.type, substring(packed FROM b.at FOR b.len)
    FROM json_to_recordset(channels) AS b(ns TEXT, channel TEXT, version TEXT, type TEXT, at INTEGER, len INTEGER)
    ON CONFLICT DO NOTHING;
  END IF;
  IF checkpoints IS NOT NULL THEN
    INSERT INTO checkpoints.checkpoints
      (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    SELECT thread, c.ns, c.id, c.parent, platform.part(packed, c.at, c.len)::jsonb,
           platform.part(packed, c.meta_at, c.meta_len)::jsonb
    FROM json_to_recordset(checkpoints)
      AS c(ns TEXT, id TEXT, parent TEXT, at INTEGER, len INTEGER, meta_at INTEGER, meta_len INTEGER)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
    DO UPDATE SET checkpoint = excluded.checkpoint, metadata = excluded.metadata;
  END IF;
  IF writes IS NOT NULL THEN
    -- Below zero are LangGraph's own channels (errors, interrupts, answers): the last one counts.
    INSERT INTO checkpoints.checkpoint_writes AS w
      (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT thread, p.ns, p.checkpoint, p.task, p.path, p.idx, p.channel, p.type, substring(packed FROM p.at FOR p.len)
    FROM json_to_recordset(writes) AS p(
      ns TEXT, checkpoint TEXT, task TEXT, path TEXT, idx INTEGER, channel TEXT, type TEXT, at INTEGER, len INTEGER)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
    DO UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob WHERE excluded.idx < 0;
  END IF;
  IF events IS NOT NULL THEN
    INSERT INTO platform.run_events (run_id, owner_id, fence, seq, event, data)
    SELECT held_run, asked_owner, held_fence, e.seq, e.event, platform.part(packed, e.at, e.len)::json
    FROM json_to_recordset(events) AS e(seq INTEGER, event TEXT, at INTEGER, len INTEGER)
    ON CONFLICT DO NOTHING;
  END IF;
END $$;
"""

# Each part may be empty. It answers with a word and does not raise: that would undo what others commit beside it.
# A commit that was not heard of may be sent again: every part of it finds what it wrote before.
# A run may begin before its acceptance is on disk. Where that is lost with PostgreSQL, another process may claim
# another run on the thread under the same fence: so the run counts too.
COMMIT = """
CREATE FUNCTION platform.commit_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  checkpoints JSON, items JSON, channels JSON, writes JSON, events JSON, packed BYTEA)
RETURNS TEXT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('app.user_id', asked_owner::text, true);
  PERFORM FROM platform.threads WHERE id = held_thread AND fence = held_fence FOR SHARE;
  -- Once the thread is locked, so that the run is seen as it is then.
  IF FOUND THEN
    PERFORM FROM platform.runs WHERE id = held_run AND status = 'running';
  END IF;
  IF NOT FOUND THEN
    RETURN 'lost';
  END IF;
  PERFORM platform.write_run(held_thread, held_fence, held_run, asked_owner, checkpoints, items, channels, writes,
                             events, packed);
  RETURN 'kept';
END $$;
"""

# As `commit_run`, and how the run ended: its thread is free, or goes on with its next run, which `worker` claims.
# `ended` says where the output and the state are; `has_values` alone stands for a state of which no copy is kept. The
# status `pending` gives the run back.
FINISH = """
CREATE FUNCTION platform.finish_run(
  held_thread UUID, held_fence BIGINT, held_run UUID, asked_owner UUID,
  checkpoints JSON, items JSON, channels JSON, writes JSON, events JSON, packed BYTEA,
  used JSON, ended JSON, worker UUID)
RETURNS TABLE (outcome TEXT, following UUID, claim JSON)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  run platform.runs;
  ending RECORD;
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
                             events, packed);
  IF used IS NOT NULL THEN
    PERFORM platform.note_usage(held_run, asked_owner, used);
  END IF;
  SELECT * INTO ending FROM json_to_record(ended) AS e(
    status TEXT, output_at INTEGER, output_len INTEGER, values_at INTEGER, values_len INTEGER, has_values BOOLEAN,
    interrupts JSONB, error_status INTEGER, error_code TEXT, error_message TEXT, stops BOOLEAN);
  IF ending.status = 'pending' THEN
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
    UPDATE platform.runs SET status = ending.status,
           output = platform.part(packed, ending.output_at, ending.output_len)::json,
           error_status = ending.error_status, error_code = ending.error_code, error_message = ending.error_message,
           finished_at = now()
    WHERE id = held_run;
    following := platform.free_thread(
      held_thread,
      CASE WHEN ending.interrupts <> '{}' OR ending.stops OR ending.status = 'interrupted' THEN 'interrupted'
           WHEN ending.status = 'error' THEN 'error' ELSE 'idle' END,
      ending.interrupts,
      CASE WHEN ending.values_at IS NOT NULL THEN platform.part(packed, ending.values_at, ending.values_len)::jsonb
           WHEN ending.has_values THEN 'null' END);
  END IF;
  IF following IS NOT NULL AND worker IS NOT NULL THEN
    claim := (SELECT to_json(c) FROM platform.claim_run(following, worker) AS c);
  END IF;
  RETURN NEXT;
END $$;
"""

# By thread first: what ended since the last vacuum is no longer read each time that a thread is asked whether it is
# busy. Sweeps read all of it, which is little.
BY_THREAD = """
DROP INDEX platform.runs_unfinished;
CREATE INDEX runs_unfinished ON platform.runs(thread_id, created_at) WHERE status IN ('pending', 'running');
"""

BY_TIME = """
DROP INDEX platform.runs_unfinished;
CREATE INDEX runs_unfinished ON platform.runs(created_at) WHERE status IN ('pending', 'running');
"""

# Which keys count, once for all who ask. Nobody but functions may read it.
KEYS = """
CREATE VIEW auth.valid_keys AS
  SELECT k.key_sha256, u.id AS user_id, u.is_admin OR c.role IS NOT DISTINCT FROM 'admin' AS is_admin
  FROM auth.api_keys AS k JOIN auth.users AS u ON u.id = k.user_id
  LEFT JOIN audio.users AS a ON a.auth_user_id = u.id
  LEFT JOIN counseling.users AS c ON c.auth_user_id = u.id
  WHERE k.revoked_at IS NULL AND a.is_active IS NOT FALSE AND (c.status IS NULL OR c.status = 'active');

CREATE OR REPLACE FUNCTION auth.identify_key(sha256 BYTEA) RETURNS TABLE (user_id UUID, is_admin BOOLEAN)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT k.user_id, k.is_admin FROM auth.valid_keys AS k WHERE k.key_sha256 = sha256
$$;

-- Not in SQL: its plan is kept from call to call.
CREATE OR REPLACE FUNCTION auth.is_key_of(sha256 BYTEA, asked_owner UUID) RETURNS BOOLEAN
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN EXISTS (SELECT FROM auth.valid_keys AS k WHERE k.key_sha256 = sha256 AND k.user_id = asked_owner);
END $$;
"""

FORMER_KEYS = """
CREATE OR REPLACE FUNCTION auth.is_key_of(sha256 BYTEA, asked_owner UUID) RETURNS BOOLEAN LANGUAGE sql STABLE
  RETURN EXISTS (SELECT FROM auth.identify_key(sha256) AS i WHERE i.user_id = asked_owner);
"""


def upgrade() -> None:
    """Replace the functions, and the index."""
    for ddl in (DROP_FORMER, WRITE, COMMIT, FINISH, BY_THREAD, KEYS):
        op.execute(ddl)


def downgrade() -> None:
    """Put the former ones back."""
    former = import_module("db.migrations.versions.2026_11_21_leaner_commits")
    for ddl in (DROP, former.WRITE, former.COMMIT, former.FINISH, BY_TIME, FORMER_KEYS, _former_identify_key()):
        op.execute(ddl)
    op.execute("DROP VIEW auth.valid_keys")


def _former_identify_key() -> str:
    identity: str = import_module("db.migrations.versions.2026_11_21_counseling_entry").IDENTITY
    begin = "CREATE OR REPLACE FUNCTION auth.identify_key"
    return begin + identity.partition(begin)[2].partition("CREATE FUNCTION")[0]
