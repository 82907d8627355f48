"""The turns before a message are read from the newest backwards: what that costs does not grow (G36).

Asked for by their turns, they could be, and were, looked for in the whole conversation once for each of its messages.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_22_chat_past"
down_revision: str | None = "2026_11_22_audio_skills"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Of a deep answer its text alone; of what is longer, the first 2,000 characters. A turn has two messages, and one that
# failed has one: twice as many are looked at as are wanted. Without sorting there is one way only, the index of the
# numbers: what the planner knows of a table that grows is old, and it would read a conversation whole and sort it.
PAST = """
CREATE FUNCTION chat.past(asked UUID, holder UUID, turns INTEGER) RETURNS JSONB
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_sort = off AS $$
  WITH newest AS MATERIALIZED (
    SELECT number, turn_id, role, answer, content FROM chat.messages
    WHERE session_id = asked AND owner_id = holder ORDER BY number DESC LIMIT turns * 4),
  answered AS MATERIALIZED (
    SELECT turn_id FROM newest WHERE role = 'assistant' ORDER BY number DESC LIMIT turns)
  SELECT coalesce(jsonb_agg(jsonb_build_object('role', role, 'content',
           left(coalesce(nullif(answer->'content_sections'->>'output', ''), content), 2000)) ORDER BY number), '[]')
  FROM newest WHERE turn_id IN (SELECT turn_id FROM answered)
$$;
"""

ASK = """
CREATE OR REPLACE FUNCTION chat.ask(
  asked UUID, known_owner UUID, whose TEXT, turn UUID, said TEXT, at TIMESTAMPTZ, lease_seconds DOUBLE PRECISION,
  past_turns INTEGER)
RETURNS TABLE (outcome TEXT, owner_id UUID, thread_id UUID, memory JSONB, ttl_seconds INTEGER, expires_at TIMESTAMPTZ,
               past JSONB)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  holder UUID := coalesce(known_owner, chat.find_owner(whose));
  held chat.sessions;
  waits BOOLEAN;
  is_running BOOLEAN;
  newest chat.messages;
BEGIN
  PERFORM set_config('app.user_id', coalesce(holder::text, ''), true);
  SELECT * INTO held FROM chat.sessions AS s WHERE s.id = asked AND s.owner_id = holder FOR NO KEY UPDATE;
  IF NOT FOUND OR held.closed_at IS NOT NULL OR held.expires_at <= at THEN
    outcome := 'expired';
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT t.interrupts <> '{}', EXISTS (
    SELECT FROM platform.runs AS r WHERE r.thread_id = t.id AND r.status IN ('pending', 'running'))
  INTO waits, is_running FROM platform.threads AS t WHERE t.id = held.thread_id;
  SELECT * INTO newest FROM chat.messages AS m
  WHERE m.session_id = asked AND m.owner_id = holder ORDER BY m.number DESC LIMIT 1;
  -- Whose answer is there has nothing to keep others out for.
  IF is_running OR (held.leased_until > now()
                    AND (newest.turn_id, newest.role) IS DISTINCT FROM (held.leased_by, 'assistant')) THEN
    outcome := 'busy';
  ELSIF waits OR newest.role = 'user' THEN
    outcome := 'other';
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;
  past := chat.past(asked, holder, past_turns);
  INSERT INTO chat.messages (session_id, owner_id, number, turn_id, role, mode, content, created_at)
  VALUES (asked, holder, coalesce(newest.number, 0) + 1, turn, 'user', 'chat', said, at);
  UPDATE chat.sessions AS s SET expires_at = at + make_interval(secs => s.ttl_seconds), updated_at = at,
    leased_by = turn, leased_until = now() + make_interval(secs => lease_seconds)
  WHERE s.id = asked RETURNING s.expires_at INTO expires_at;
  outcome := 'asked';
  owner_id := holder;
  thread_id := held.thread_id;
  memory := held.memory;
  ttl_seconds := held.ttl_seconds;
  RETURN NEXT;
END $$;
"""

_NOW = "  past := chat.past(asked, holder, past_turns);"
_BEFORE = """
  SELECT jsonb_agg(jsonb_build_object('role', m.role, 'content',
           left(coalesce(nullif(m.answer->'content_sections'->>'output', ''), m.content), 2000)) ORDER BY m.number)
  INTO past FROM chat.messages AS m WHERE m.session_id = asked AND m.owner_id = holder AND m.turn_id IN (
    SELECT a.turn_id FROM chat.messages AS a WHERE a.session_id = asked AND a.owner_id = holder
      AND a.role = 'assistant' ORDER BY a.number DESC LIMIT past_turns);
  past := coalesce(past, '[]');
"""


def upgrade() -> None:
    """Let quick mode, and deep mode with it, read what was said last."""
    op.execute(PAST)
    op.execute(ASK)


def downgrade() -> None:
    """Read it by its turns again."""
    op.execute(ASK.replace(_NOW, _BEFORE))
    op.execute("DROP FUNCTION chat.past(UUID, UUID, INTEGER)")
