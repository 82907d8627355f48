"""Audio strategy (000): which skills ran for a strategy, and how that went (A050, A053, A054)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_22_skill_executions"
down_revision: str | None = "2026_11_22_audio_sessions"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = """
CREATE TABLE audio.skill_executions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id UUID NOT NULL,
  user_id UUID NOT NULL,
  strategy_id UUID NOT NULL,
  skill_id TEXT NOT NULL,
  scene_category TEXT NOT NULL,
  confidence_score DOUBLE PRECISION NOT NULL,
  execution_time_ms INTEGER NOT NULL,
  success BOOLEAN NOT NULL,
  error_message TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT skill_executions_once UNIQUE (session_id, user_id, strategy_id, skill_id),
  CONSTRAINT skill_executions_session FOREIGN KEY (session_id, user_id)
    REFERENCES audio.sessions(id, user_id) ON DELETE CASCADE
);
CREATE INDEX skill_executions_skill_created ON audio.skill_executions(skill_id, created_at DESC);
CREATE INDEX skill_executions_user_skill ON audio.skill_executions(user_id, skill_id, created_at DESC);
ALTER TABLE audio.skill_executions ENABLE ROW LEVEL SECURITY;
ALTER TABLE audio.skill_executions FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON audio.skill_executions USING ((SELECT auth.uid()) = user_id);
CREATE POLICY system ON audio.skill_executions USING ((SELECT auth.is_system()));
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(TABLE)


def downgrade() -> None:
    """Remove it."""
    op.execute("DROP TABLE audio.skill_executions")
