"""What cuts a value out of a commit is inlined: a call for each value took as long as to store it (issue 4)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_22_inlined_part"
down_revision: str | None = "2026_11_22_packed_commits"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Say of it what `convert_from` says of itself: PostgreSQL inlines no function that promises more."""
    op.execute("ALTER FUNCTION platform.part(BYTEA, INTEGER, INTEGER) STABLE")


def downgrade() -> None:
    """Promise it again."""
    op.execute("ALTER FUNCTION platform.part(BYTEA, INTEGER, INTEGER) IMMUTABLE")
