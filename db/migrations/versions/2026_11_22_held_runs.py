"""A run's commits look at the run as well as at its thread's fence, and at less besides (issue 4).

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
    """Look at both."""
    op.execute(_former().replace(_FENCED, _FENCED + _HELD))
    op.execute(BY_THREAD)
    op.execute(KEYS)


def downgrade() -> None:
    """Look at the fence alone, and as before."""
    op.execute(_former())
    op.execute(BY_TIME)
    op.execute(FORMER_KEYS)
    op.execute(_former_identify_key())
    op.execute("DROP VIEW auth.valid_keys")


def _former() -> str:
    former: str = import_module("db.migrations.versions.2026_11_21_leaner_commits").COMMIT
    return former.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


def _former_identify_key() -> str:
    identity: str = import_module("db.migrations.versions.2026_11_21_counseling_entry").IDENTITY
    begin = "CREATE OR REPLACE FUNCTION auth.identify_key"
    return begin + identity.partition(begin)[2].partition("CREATE FUNCTION")[0]
