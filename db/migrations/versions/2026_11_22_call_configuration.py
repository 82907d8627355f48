"""Voice calls (002): answer rules and access to Alibaba's speech services (C027–C030, C040–C042, W17)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_22_call_configuration"
down_revision: str | None = "2026_11_21_leaner_commits"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The seed's DDL (002, section 3.1), with the index of the list.
RULES = """
CREATE TABLE public.call_answer_rules (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  enabled BOOLEAN NOT NULL DEFAULT TRUE,
  priority INTEGER NOT NULL,
  conditions JSONB NOT NULL,
  action JSONB NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW()
);
CREATE INDEX idx_call_answer_rules_user_id ON public.call_answer_rules(user_id);
CREATE INDEX idx_call_answer_rules_priority ON public.call_answer_rules(priority);
CREATE INDEX idx_call_answer_rules_user_order
  ON public.call_answer_rules(user_id, priority, created_at, id);
"""

# The seed's DDL (002, section 2.1), with W17's index in place of its UNIQUE, and with the token that is kept.
ALIYUN = """
CREATE TABLE public.aliyun_configs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  access_key_id VARCHAR(255) NOT NULL,
  access_key_secret TEXT NOT NULL,
  app_key VARCHAR(255) NOT NULL,
  is_active BOOLEAN NOT NULL DEFAULT TRUE,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
  token TEXT,
  token_issued_at TIMESTAMP WITH TIME ZONE,
  token_expires_at TIMESTAMP WITH TIME ZONE,
  fetch_id UUID,
  fetch_until TIMESTAMP WITH TIME ZONE,
  fetch_failure TEXT,
  fetches BIGINT NOT NULL DEFAULT 0,
  CONSTRAINT aliyun_configs_token_whole CHECK (
    (token IS NULL) = (token_expires_at IS NULL) AND (token IS NULL) = (token_issued_at IS NULL))
);
CREATE INDEX idx_aliyun_configs_user_id ON public.aliyun_configs(user_id);
CREATE UNIQUE INDEX aliyun_configs_one_active ON public.aliyun_configs(user_id) WHERE is_active;
"""

TABLES = ("public.call_answer_rules", "public.aliyun_configs")


def upgrade() -> None:
    """Make both tables, closed to everybody but their rows' owners."""
    op.execute(RULES)
    op.execute(ALIYUN)
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY owner ON {table} USING ((SELECT auth.uid()) = user_id)")
        op.execute(f"CREATE POLICY system ON {table} USING ((SELECT auth.is_system()))")


def downgrade() -> None:
    """Remove both."""
    op.execute(f"DROP TABLE {', '.join(TABLES)}")
