"""Threads as the LangGraph protocol shows them: their state on their row, listed from indexes, no workflow at first."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_21_thread_search"
down_revision: str | None = "2026_11_21_starting_runs"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# No index on the contents of `metadata` or `state_values`: under row level security PostgreSQL may not use one for
# `@>`, which could tell about others' rows. A search filters the owner's threads, which come from these indexes.
COLUMNS = """
ALTER TABLE platform.threads
  ALTER COLUMN workflow DROP NOT NULL,
  ADD COLUMN state_values JSONB,
  ADD COLUMN state_updated_at TIMESTAMPTZ NOT NULL DEFAULT now();
CREATE INDEX threads_owner_created ON platform.threads(owner_id, created_at DESC);
CREATE INDEX threads_owner_state_updated ON platform.threads(owner_id, state_updated_at DESC);
"""

ROWS = """
UPDATE platform.threads SET state_updated_at = updated_at,
  metadata = metadata || jsonb_build_object('graph_id', workflow)
"""

FORMER_ROWS = """
DELETE FROM platform.threads WHERE workflow IS NULL
"""

FORMER_COLUMNS = """
ALTER TABLE platform.threads
  ALTER COLUMN workflow SET NOT NULL, DROP COLUMN state_values, DROP COLUMN state_updated_at;
DROP INDEX platform.threads_owner_created;
"""


def upgrade() -> None:
    """Add the columns, and bring the rows to their new form."""
    op.execute(COLUMNS)
    _as_owner(ROWS)


def downgrade() -> None:
    """Remove threads without a workflow, and the columns."""
    _as_owner(FORMER_ROWS)
    op.execute(FORMER_COLUMNS)


def _as_owner(statements: str) -> None:
    # FORCE binds the tables' owner too, where it is no superuser: it would change no row, without an error.
    op.execute("ALTER TABLE platform.threads NO FORCE ROW LEVEL SECURITY")
    op.execute(statements)
    op.execute("ALTER TABLE platform.threads FORCE ROW LEVEL SECURITY")
