"""Audio strategy (000): skills, and profiles of people whom users talk with (A049, A052)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_22_audio_skills"
down_revision: str | None = "2026_11_22_skill_executions"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = """
CREATE TABLE audio.skills (
  skill_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  category TEXT NOT NULL,
  skill_path TEXT NOT NULL,
  priority INTEGER NOT NULL,
  enabled BOOLEAN NOT NULL,
  version TEXT NOT NULL,
  prompt_template TEXT NOT NULL,
  metadata JSONB NOT NULL DEFAULT '{}',
  problem TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE audio.profiles (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  name VARCHAR(100) NOT NULL,
  relationship VARCHAR(50) NOT NULL DEFAULT '',
  photo_url TEXT,
  notes TEXT NOT NULL DEFAULT '',
  audio_session_id UUID,
  audio_segment_id UUID,
  audio_start_time DOUBLE PRECISION,
  audio_end_time DOUBLE PRECISION,
  audio_url TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  photo_path TEXT,
  CONSTRAINT profiles_session FOREIGN KEY (audio_session_id, user_id)
    REFERENCES audio.sessions(id, user_id) ON DELETE SET NULL (audio_session_id),
  CONSTRAINT profiles_segment FOREIGN KEY (audio_segment_id, user_id)
    REFERENCES audio.audio_segments(id, user_id) ON DELETE SET NULL (audio_segment_id)
);
CREATE INDEX profiles_user_created ON audio.profiles(user_id, created_at DESC, id DESC);
CREATE INDEX profiles_session ON audio.profiles(audio_session_id) WHERE audio_session_id IS NOT NULL;
CREATE INDEX profiles_segment ON audio.profiles(audio_segment_id) WHERE audio_segment_id IS NOT NULL;
ALTER TABLE audio.profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE audio.profiles FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON audio.profiles USING ((SELECT auth.uid()) = user_id);
CREATE POLICY system ON audio.profiles USING ((SELECT auth.is_system()));
"""

# As with recordings: whoever deletes a row, or its photo, leaves the file to the sweep.
ABANDON = """
CREATE FUNCTION audio.abandon_photo() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO audio.abandoned_files (key, user_id) VALUES (OLD.photo_path, OLD.user_id)
  ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at;
  RETURN NULL;
END $$;
CREATE TRIGGER abandon_deleted_photo AFTER DELETE ON audio.profiles
  FOR EACH ROW WHEN (OLD.photo_path IS NOT NULL) EXECUTE FUNCTION audio.abandon_photo();
CREATE TRIGGER abandon_replaced_photo AFTER UPDATE OF photo_path ON audio.profiles
  FOR EACH ROW WHEN (OLD.photo_path IS NOT NULL AND OLD.photo_path IS DISTINCT FROM NEW.photo_path)
  EXECUTE FUNCTION audio.abandon_photo();
"""


def upgrade() -> None:
    """Make the tables; profiles are closed to everybody but their owner and the system role."""
    op.execute(TABLES)
    op.execute(ABANDON)


def downgrade() -> None:
    """Remove them; the files of photos stay where they are."""
    for table in ("profiles", "skills"):
        op.execute(f"DROP TABLE audio.{table}")
    op.execute("DROP FUNCTION audio.abandon_photo()")
