"""Voice calls (002): what the statistics read, in one index, so that they do not read the calls (C051, C055)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_22_call_statistics"
down_revision: str | None = "2026_11_21_counseling_entry"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEX = """
CREATE INDEX idx_call_records_statistics
  ON public.call_records(user_id, start_time)
  INCLUDE (hangup_reason, duration_seconds, caller_app, agent_id)
  WHERE hangup_reason IS NOT NULL
"""


def upgrade() -> None:
    """Make the index; calls cannot be written while it is made (some seconds for a million)."""
    op.execute(INDEX)


def downgrade() -> None:
    """Remove it."""
    op.execute("DROP INDEX public.idx_call_records_statistics")
