"""Retention: how far each kind of sweep has come, and the orders in which they go (issue 4)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_21_retention"
down_revision: str | None = "2026_11_21_protocol_runs"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A sweep goes through rows by the time of their last change, and on from there the next time. What changes moves to
# the end of the order, so that it is met again.
UPGRADE = """
CREATE TABLE platform.retention (
  sweep TEXT PRIMARY KEY,
  through TIMESTAMPTZ NOT NULL,
  through_id UUID NOT NULL
);
CREATE INDEX threads_updated ON platform.threads(updated_at, id);
CREATE INDEX runs_finished ON platform.runs(finished_at, id) WHERE finished_at IS NOT NULL;
"""

DOWNGRADE = """
DROP INDEX platform.runs_finished;
DROP INDEX platform.threads_updated;
DROP TABLE platform.retention;
"""


def upgrade() -> None:
    """Make the table and the indexes."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Remove them."""
    op.execute(DOWNGRADE)
