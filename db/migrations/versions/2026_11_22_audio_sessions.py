"""Audio strategy (000): recordings, what was found in them, their strategies and pieces (A046–A048, A053, G09)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_22_audio_sessions"
down_revision: str | None = "2026_11_22_call_statistics"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = """
CREATE TABLE audio.sessions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  title VARCHAR(255) NOT NULL,
  start_time TIMESTAMPTZ,
  end_time TIMESTAMPTZ,
  duration DOUBLE PRECISION NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending'
    CONSTRAINT sessions_status_known CHECK (status IN ('pending', 'analyzing', 'completed', 'failed')),
  error_message TEXT,
  emotion_score DOUBLE PRECISION,
  speaker_count INTEGER,
  tags JSONB NOT NULL DEFAULT '[]',
  audio_url TEXT,
  audio_path TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  media_type TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  brought_transcript JSONB,
  peaks JSONB,
  analysis_thread_id UUID NOT NULL,
  analysis_asked_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  analysis_steps JSONB NOT NULL DEFAULT '{}',
  analysis_step_count INTEGER NOT NULL DEFAULT 0,
  analysis_seconds DOUBLE PRECISION,
  strategy_id UUID,
  strategy_thread_id UUID,
  strategy_asked_at TIMESTAMPTZ,
  strategy_steps JSONB NOT NULL DEFAULT '{}',
  strategy_step_count INTEGER NOT NULL DEFAULT 0,
  request_key TEXT,
  request_sha256 BYTEA,
  CONSTRAINT sessions_id_user UNIQUE (id, user_id)
);
CREATE INDEX sessions_user_created ON audio.sessions(user_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX sessions_request_key ON audio.sessions(user_id, request_key) WHERE request_key IS NOT NULL;
CREATE INDEX sessions_unfinished ON audio.sessions(analysis_asked_at) WHERE status IN ('pending', 'analyzing');

-- The owner is in the keys of what hangs on a session: else they would tell what others have.
CREATE TABLE audio.analysis_results (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id UUID NOT NULL,
  user_id UUID NOT NULL,
  dialogues JSONB NOT NULL DEFAULT '[]',
  risks JSONB NOT NULL DEFAULT '[]',
  summary TEXT NOT NULL DEFAULT '',
  mood_score DOUBLE PRECISION,
  stats JSONB NOT NULL DEFAULT '{}',
  transcript TEXT NOT NULL DEFAULT '',
  call1_result JSONB NOT NULL DEFAULT '{}',
  speaker_mapping JSONB NOT NULL DEFAULT '{}',
  conversation_summary TEXT NOT NULL DEFAULT '',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT analysis_results_one UNIQUE (session_id, user_id),
  CONSTRAINT analysis_results_session FOREIGN KEY (session_id, user_id)
    REFERENCES audio.sessions(id, user_id) ON DELETE CASCADE
);

CREATE TABLE audio.strategy_analysis (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id UUID NOT NULL,
  user_id UUID NOT NULL,
  strategy_id UUID NOT NULL,
  visual_data JSONB NOT NULL DEFAULT '[]',
  strategies JSONB NOT NULL DEFAULT '[]',
  applied_skills JSONB NOT NULL DEFAULT '[]',
  scene_category TEXT NOT NULL,
  scene_confidence DOUBLE PRECISION NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT strategy_analysis_one UNIQUE (session_id, user_id),
  CONSTRAINT strategy_analysis_session FOREIGN KEY (session_id, user_id)
    REFERENCES audio.sessions(id, user_id) ON DELETE CASCADE
);

CREATE TABLE audio.audio_segments (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id UUID NOT NULL,
  user_id UUID NOT NULL,
  speaker TEXT NOT NULL,
  start_time DOUBLE PRECISION NOT NULL,
  end_time DOUBLE PRECISION NOT NULL,
  text TEXT NOT NULL DEFAULT '',
  audio_url TEXT,
  audio_path TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT audio_segments_id_user UNIQUE (id, user_id),
  CONSTRAINT audio_segments_session FOREIGN KEY (session_id, user_id)
    REFERENCES audio.sessions(id, user_id) ON DELETE CASCADE
);
CREATE INDEX audio_segments_session_start ON audio.audio_segments(session_id, start_time, end_time, id);
-- The same piece is cut once.
CREATE UNIQUE INDEX audio_segments_piece ON audio.audio_segments(session_id, start_time, end_time, speaker)
  WHERE audio_path IS NOT NULL;

-- Files that nothing refers to (any more), and when they may be deleted. It has no foreign keys: it outlives the rows.
CREATE TABLE audio.abandoned_files (
  key TEXT PRIMARY KEY,
  user_id UUID NOT NULL,
  due_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX abandoned_files_due ON audio.abandoned_files(due_at, key);
"""

_OWNED = ("sessions", "analysis_results", "strategy_analysis", "audio_segments", "abandoned_files")

# Whoever deletes a row, with a session or a user, leaves its files to the sweep. Not as the one who deletes: a user
# who is deleted is deleted by nobody of this table's owners.
ABANDON = """
CREATE FUNCTION audio.abandon_path() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO audio.abandoned_files (key, user_id) VALUES (OLD.audio_path, OLD.user_id)
  ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at;
  RETURN NULL;
END $$;
CREATE TRIGGER abandon_recording AFTER DELETE ON audio.sessions
  FOR EACH ROW EXECUTE FUNCTION audio.abandon_path();
CREATE TRIGGER abandon_piece AFTER DELETE ON audio.audio_segments
  FOR EACH ROW WHEN (OLD.audio_path IS NOT NULL) EXECUTE FUNCTION audio.abandon_path();

CREATE FUNCTION audio.abandon_pictures() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO audio.abandoned_files (key, user_id)
  SELECT DISTINCT was.visual->>'key', OLD.user_id FROM jsonb_array_elements(OLD.visual_data) AS was(visual)
  WHERE was.visual->>'key' IS NOT NULL AND (TG_OP = 'DELETE' OR NOT EXISTS (
    SELECT FROM jsonb_array_elements(NEW.visual_data) AS kept(visual)
    WHERE kept.visual->>'key' = was.visual->>'key'))
  ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at;
  RETURN NULL;
END $$;
CREATE TRIGGER abandon_pictures AFTER DELETE OR UPDATE OF visual_data ON audio.strategy_analysis
  FOR EACH ROW EXECUTE FUNCTION audio.abandon_pictures();
"""


def upgrade() -> None:
    """Make the tables, closed to everybody but the owner and the system role."""
    op.execute(TABLES)
    for table in _OWNED:
        op.execute(f"ALTER TABLE audio.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE audio.{table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY owner ON audio.{table} USING ((SELECT auth.uid()) = user_id)")
        op.execute(f"CREATE POLICY system ON audio.{table} USING ((SELECT auth.is_system()))")
    op.execute(ABANDON)


def downgrade() -> None:
    """Remove them; the files of recordings stay where they are."""
    for table in reversed(_OWNED):
        op.execute(f"DROP TABLE audio.{table}")
    op.execute("DROP FUNCTION audio.abandon_path(), audio.abandon_pictures()")
