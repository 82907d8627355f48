"""Row level security on every table with an owner; the entry points that work before there is a user (X031)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_21_isolation"
down_revision: str | None = "2026_11_21_first_light"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The role's name follows the database's, so that two deployments in one cluster do not meet (see db/roles.py).
SYSTEM = """
CREATE FUNCTION auth.is_system() RETURNS boolean LANGUAGE sql STABLE
  RETURN current_user = current_database() || '_system';
"""

# Events carry what people said: they have their owner on each row, like everything else that does.
EVENTS = """
ALTER TABLE platform.run_events ADD COLUMN owner_id UUID;
UPDATE platform.run_events AS event SET owner_id = run.owner_id FROM platform.runs AS run WHERE run.id = event.run_id;
ALTER TABLE platform.run_events ALTER COLUMN owner_id SET NOT NULL;
"""

# How a run's end was asked for, and what its thread waited for before: a rollback puts that back.
RUNS = """
ALTER TABLE platform.runs
  ADD COLUMN cancel_action TEXT CONSTRAINT runs_cancel_known CHECK (cancel_action IN ('interrupt', 'rollback')),
  ADD COLUMN base_interrupts JSONB NOT NULL DEFAULT '{}';
UPDATE platform.runs SET cancel_action = 'interrupt' WHERE cancel_requested;
ALTER TABLE platform.runs DROP COLUMN cancel_requested;
"""

FORMER_RUNS = """
ALTER TABLE platform.runs DROP COLUMN cancel_action, DROP COLUMN base_interrupts,
  ADD COLUMN cancel_requested BOOLEAN NOT NULL DEFAULT false;
"""

# What hangs on a row belongs to the same owner: foreign keys look past row level security, so they say it themselves.
PARENTS = """
ALTER TABLE platform.threads ADD CONSTRAINT threads_id_owner UNIQUE (id, owner_id);
ALTER TABLE platform.runs ADD CONSTRAINT runs_id_owner UNIQUE (id, owner_id);
ALTER TABLE platform.runs DROP CONSTRAINT runs_thread_id_fkey,
  ADD CONSTRAINT runs_thread FOREIGN KEY (thread_id, owner_id)
    REFERENCES platform.threads(id, owner_id) ON DELETE CASCADE;
ALTER TABLE platform.run_events DROP CONSTRAINT run_events_run_id_fkey,
  ADD CONSTRAINT run_events_run FOREIGN KEY (run_id, owner_id)
    REFERENCES platform.runs(id, owner_id) ON DELETE CASCADE;
ALTER TABLE platform.usage DROP CONSTRAINT usage_run_id_fkey,
  ADD CONSTRAINT usage_run FOREIGN KEY (run_id, user_id)
    REFERENCES platform.runs(id, owner_id) ON DELETE SET NULL (run_id);
"""

FORMER_PARENTS = """
ALTER TABLE platform.usage DROP CONSTRAINT usage_run,
  ADD CONSTRAINT usage_run_id_fkey FOREIGN KEY (run_id) REFERENCES platform.runs(id) ON DELETE SET NULL;
ALTER TABLE platform.run_events DROP CONSTRAINT run_events_run,
  ADD CONSTRAINT run_events_run_id_fkey FOREIGN KEY (run_id) REFERENCES platform.runs(id) ON DELETE CASCADE;
ALTER TABLE platform.runs DROP CONSTRAINT runs_thread,
  ADD CONSTRAINT runs_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES platform.threads(id) ON DELETE CASCADE;
ALTER TABLE platform.runs DROP CONSTRAINT runs_id_owner;
ALTER TABLE platform.threads DROP CONSTRAINT threads_id_owner;
"""

OWNED = {
    "auth.users": "id",
    "auth.api_keys": "user_id",
    "platform.threads": "owner_id",
    "platform.runs": "owner_id",
    "platform.run_events": "owner_id",
    "platform.usage": "user_id",
    "public.agents": "user_id",
    "public.call_records": "user_id",
}

SHARED_AGENTS = """
CREATE POLICY shared ON public.agents FOR SELECT USING (user_id IS NULL);
-- A call is for an agent that its owner may use (G23): the subquery sees no other.
ALTER POLICY owner ON public.call_records
  WITH CHECK ((SELECT auth.uid()) = user_id AND EXISTS (SELECT FROM public.agents AS a WHERE a.id = agent_id));
"""

# The search path of all that runs under another role: temporary objects last. Where it is empty, PostgreSQL looks for
# types among the caller's temporary ones first, and a domain with a CHECK would run the caller's code as that role.
ENTRY_POINTS = """
CREATE FUNCTION auth.identify_key(sha256 BYTEA) RETURNS TABLE (user_id UUID, is_admin BOOLEAN)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.is_admin FROM auth.api_keys AS k JOIN auth.users AS u ON u.id = k.user_id
  WHERE k.key_sha256 = sha256 AND k.revoked_at IS NULL
$$;

-- Takes a pending run for a process and raises its thread's fence; no row when it is not to be had.
CREATE FUNCTION platform.claim_run(wanted UUID, worker UUID) RETURNS TABLE (
  thread_id UUID, owner_id UUID, workflow TEXT, request JSON, fence BIGINT, attempt INTEGER, restarts_input BOOLEAN,
  waited DOUBLE PRECISION, cancelled BOOLEAN)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  held platform.threads;
  head TEXT;
BEGIN
  SELECT * INTO held FROM platform.threads
  WHERE id = (SELECT thread_id FROM platform.runs WHERE id = wanted) FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT checkpoint_id INTO head FROM checkpoints.checkpoints
  WHERE thread_id = held.id::text AND checkpoint_ns = '' ORDER BY checkpoint_id DESC LIMIT 1;
  RETURN QUERY
    UPDATE platform.runs AS run SET status = 'running', attempt = run.attempt + 1, worker_id = worker,
           fence = held.fence + 1, started_at = coalesce(run.started_at, now()),
           base_checkpoint_id = CASE WHEN run.attempt = 0 THEN head ELSE run.base_checkpoint_id END,
           base_interrupts = CASE WHEN run.attempt = 0 AND run.base_interrupts = '{}' THEN held.interrupts
                                  ELSE run.base_interrupts END
    WHERE run.id = wanted AND run.status = 'pending' AND NOT EXISTS (
      SELECT 1 FROM platform.runs AS other
      WHERE other.thread_id = run.thread_id AND other.id <> run.id
        AND (other.status = 'running'
             OR (other.status = 'pending' AND (other.created_at, other.id) < (run.created_at, run.id))))
    RETURNING run.thread_id, run.owner_id, run.workflow, run.request, run.fence, run.attempt,
              run.base_checkpoint_id IS NOT DISTINCT FROM head,
              extract(epoch FROM clock_timestamp() - run.created_at)::double precision,
              run.cancel_action IS NOT NULL;
  IF FOUND THEN
    UPDATE platform.threads SET fence = held.fence + 1, status = 'busy', interrupts = '{}', updated_at = now()
    WHERE id = held.id;
  END IF;
END $$;

ALTER FUNCTION platform.hold_fence(UUID, BIGINT) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;

-- LangGraph's tables know no foreign key to ours: what is left of a thread goes with it, however it is deleted.
CREATE FUNCTION platform.forget_thread() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM checkpoints.checkpoints WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.checkpoint_blobs WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.checkpoint_writes WHERE thread_id = OLD.id::text;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_thread AFTER DELETE ON platform.threads
  FOR EACH ROW EXECUTE FUNCTION platform.forget_thread();

-- Not in plain SQL, which would look for procrastinate's tables now: they are made after ours.
CREATE FUNCTION platform.load() RETURNS TABLE (pending BIGINT, running BIGINT, jobs BIGINT)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'running'),
         (SELECT count(*) FROM jobs.procrastinate_jobs WHERE status = 'todo')
  FROM platform.runs WHERE status IN ('pending', 'running');
END $$;
"""


def upgrade() -> None:
    """Close every table with an owner to everybody but the owner and the system role."""
    op.execute(SYSTEM)
    op.execute(EVENTS)
    op.execute(RUNS)
    op.execute(PARENTS)
    for table, owner in OWNED.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        # In parentheses, so that it is evaluated once a statement and not once a row.
        op.execute(f"CREATE POLICY owner ON {table} USING ((SELECT auth.uid()) = {owner})")
        op.execute(f"CREATE POLICY system ON {table} USING ((SELECT auth.is_system()))")
    op.execute(SHARED_AGENTS)
    op.execute(ENTRY_POINTS)


def downgrade() -> None:
    """Open the tables again."""
    op.execute("DROP TRIGGER forget_thread ON platform.threads")
    op.execute(
        "DROP FUNCTION platform.forget_thread(), platform.load(), platform.claim_run(UUID, UUID),"
        " auth.identify_key(BYTEA)"
    )
    op.execute("ALTER FUNCTION platform.hold_fence(UUID, BIGINT) SECURITY INVOKER RESET search_path")
    op.execute("DROP POLICY shared ON public.agents")
    for table in OWNED:
        op.execute(f"DROP POLICY owner ON {table}")
        op.execute(f"DROP POLICY system ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute(FORMER_PARENTS)
    op.execute("ALTER TABLE platform.run_events DROP COLUMN owner_id")
    op.execute(FORMER_RUNS)
    op.execute("DROP FUNCTION auth.is_system()")
