"""Threads and runs are deleted with the jobs and calls that name them (X024, issue 4)."""

from collections.abc import Sequence
from importlib import import_module

from alembic import op

revision: str = "2026_11_21_forgetting"
down_revision: str | None = "2026_11_21_retention"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEX = """
CREATE INDEX idx_call_records_summary_thread ON public.call_records(summary_thread_id)
  WHERE summary_thread_id IS NOT NULL;
"""

FORGET = """
CREATE OR REPLACE FUNCTION platform.forget_thread() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM checkpoints.checkpoints WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.checkpoint_blobs WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.checkpoint_writes WHERE thread_id = OLD.id::text;
  DELETE FROM checkpoints.list_items WHERE thread_id = OLD.id::text;
  UPDATE public.call_records SET summary_thread_id = NULL WHERE summary_thread_id = OLD.id;
  RETURN NULL;
END $$;
"""

# Jobs that a worker is at work on end by themselves: taken away under its hands they would stop it.
FORGET_RUNS = """
CREATE FUNCTION platform.forget_runs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM jobs.procrastinate_jobs
             WHERE args->>'run_id' IN (SELECT id::text FROM gone) AND status <> 'doing') THEN
    -- For procrastinate's own triggers; to the end of this function, which has a setting of its own to go back to.
    PERFORM set_config('search_path', 'pg_catalog, jobs, pg_temp', true);
    DELETE FROM jobs.procrastinate_jobs
    WHERE args->>'run_id' IN (SELECT id::text FROM gone) AND status <> 'doing';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_runs AFTER DELETE ON platform.runs REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION platform.forget_runs();
"""


def upgrade() -> None:
    """Add the index and the triggers."""
    for ddl in (INDEX, FORGET, FORGET_RUNS):
        op.execute(ddl)


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TRIGGER forget_runs ON platform.runs")
    op.execute("DROP FUNCTION platform.forget_runs()")
    op.execute(import_module("db.migrations.versions.2026_11_21_commits").FORGET)
    op.execute("DROP INDEX public.idx_call_records_summary_thread")
