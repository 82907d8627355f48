"""A run's commits look at the run as well as at its thread's fence (issue 4).

A run may begin before its acceptance is on disk. Where that is lost with PostgreSQL, another process may claim another
run on the thread, under the same fence.
"""

from collections.abc import Sequence
from importlib import import_module

from alembic import op

revision: str = "2026_11_22_held_runs"
down_revision: str | None = "2026_11_22_chat_past"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_FENCED = "  PERFORM FROM platform.threads WHERE id = held_thread AND fence = held_fence FOR SHARE;\n"
_HELD = """\
  -- Once the thread is locked, so that it is seen as it is then.
  IF FOUND THEN
    PERFORM FROM platform.runs WHERE id = held_run AND status = 'running';
  END IF;
"""


def upgrade() -> None:
    """Look at both."""
    op.execute(_former().replace(_FENCED, _FENCED + _HELD))


def downgrade() -> None:
    """Look at the fence alone."""
    op.execute(_former())


def _former() -> str:
    former: str = import_module("db.migrations.versions.2026_11_21_leaner_commits").COMMIT
    return former.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
