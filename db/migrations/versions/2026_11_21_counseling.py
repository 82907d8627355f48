"""Counseling (004): people, visitors, sessions, memory, what is handed in, and who may see it (E068–E075, G59, G60)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_21_counseling"
down_revision: str | None = "2026_11_22_call_configuration"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# `user_id` is the student's or staff's business number (E080); the internal id is the principal's (G61, K16).
PEOPLE = """
CREATE SCHEMA counseling;
CREATE TABLE counseling.users (
  auth_user_id UUID PRIMARY KEY REFERENCES auth.users(id) ON DELETE CASCADE,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL DEFAULT '',
  user_id TEXT,
  role TEXT NOT NULL DEFAULT 'student' CONSTRAINT users_role_known
    CHECK (role IN ('student', 'assistant_tech', 'assistant_class', 'admin')),
  class_id INTEGER,
  status TEXT NOT NULL DEFAULT 'active',
  last_login_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_business_number ON counseling.users(user_id) WHERE user_id IS NOT NULL;
CREATE INDEX users_class ON counseling.users(class_id, email) WHERE role = 'student';

CREATE TABLE counseling.whitelist_emails (
  email TEXT PRIMARY KEY,
  name TEXT NOT NULL DEFAULT '',
  user_id TEXT,
  role TEXT NOT NULL,
  class_id INTEGER,
  assigned_visitor TEXT,
  assigned_tech_asst TEXT,
  assigned_class_asst TEXT,
  incharge_visitor JSONB,
  student_count INTEGER,
  status TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- `code` holds an HMAC of the code. A row for every address that was asked for, so that nobody learns which are known.
CREATE TABLE counseling.email_codes (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  email TEXT NOT NULL,
  code TEXT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  used BOOLEAN NOT NULL DEFAULT false,
  wrong_tries SMALLINT NOT NULL DEFAULT 0,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX email_codes_email_created ON counseling.email_codes(email, created_at DESC);
CREATE INDEX email_codes_created ON counseling.email_codes(created_at);
"""

# A thread may not be there (yet, or any more): a run makes it. Unique keys name the student too, as foreign keys do.
SESSIONS = """
CREATE TABLE counseling.visitor_templates (
  key TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  brief TEXT NOT NULL,
  core_persona TEXT NOT NULL
);
CREATE TABLE counseling.visitor_instances (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  owner_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  template_key TEXT NOT NULL REFERENCES counseling.visitor_templates(key),
  long_term_memory JSONB NOT NULL DEFAULT jsonb_build_object('thisweek_focus', '无', 'discussed_topics', '无',
    'milestones', '无', 'recurring_patterns', '无', 'core_belief_evolution', '无'),
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (id, owner_id)
);
CREATE INDEX visitor_instances_owner ON counseling.visitor_instances(owner_id, created_at);
CREATE INDEX visitor_instances_template ON counseling.visitor_instances(template_key);

CREATE TABLE counseling.sessions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  visitor_instance_id UUID NOT NULL,
  student_id UUID NOT NULL,
  session_number INTEGER NOT NULL CONSTRAINT sessions_number_positive CHECK (session_number > 0),
  chat_history JSONB NOT NULL DEFAULT '[]',
  session_diary TEXT,
  pre_session_activity JSONB,
  homework JSONB NOT NULL DEFAULT '[]',
  fallbacks JSONB NOT NULL DEFAULT '[]',
  remaking BOOLEAN NOT NULL DEFAULT false,
  finalize_thread_id UUID,
  reply_thread_id UUID,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  finalized_at TIMESTAMPTZ,
  UNIQUE (id, student_id),
  CONSTRAINT sessions_number UNIQUE (visitor_instance_id, student_id, session_number),
  CONSTRAINT sessions_instance FOREIGN KEY (visitor_instance_id, student_id)
    REFERENCES counseling.visitor_instances(id, owner_id) ON DELETE CASCADE
);
CREATE INDEX sessions_student_created ON counseling.sessions(student_id, created_at);
CREATE INDEX sessions_created ON counseling.sessions(created_at);
CREATE UNIQUE INDEX sessions_finalize_thread ON counseling.sessions(finalize_thread_id)
  WHERE finalize_thread_id IS NOT NULL;
CREATE UNIQUE INDEX sessions_reply_thread ON counseling.sessions(reply_thread_id) WHERE reply_thread_id IS NOT NULL;

CREATE TABLE counseling.long_term_memory_versions (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  session_id UUID NOT NULL,
  student_id UUID NOT NULL,
  content JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT long_term_memory_versions_of UNIQUE (session_id, student_id),
  CONSTRAINT long_term_memory_versions_session FOREIGN KEY (session_id, student_id)
    REFERENCES counseling.sessions(id, student_id) ON DELETE CASCADE
);
CREATE INDEX long_term_memory_versions_student ON counseling.long_term_memory_versions(student_id, id);
"""

HANDED_IN = """
CREATE TABLE counseling.thought_records (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id UUID NOT NULL,
  student_id UUID NOT NULL,
  triggering_event TEXT NOT NULL,
  thoughts_and_beliefs TEXT NOT NULL,
  consequences TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT thought_records_session FOREIGN KEY (session_id, student_id)
    REFERENCES counseling.sessions(id, student_id) ON DELETE CASCADE
);
CREATE INDEX thought_records_session_created ON counseling.thought_records(session_id, created_at);

CREATE TABLE counseling.questions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id UUID NOT NULL,
  student_id UUID NOT NULL,
  content TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CONSTRAINT questions_status_known CHECK (status IN ('open', 'answered')),
  answer TEXT,
  answered_by UUID REFERENCES auth.users(id) ON DELETE SET NULL,
  answered_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT questions_session FOREIGN KEY (session_id, student_id)
    REFERENCES counseling.sessions(id, student_id) ON DELETE CASCADE
);
CREATE INDEX questions_session_created ON counseling.questions(session_id, created_at);
CREATE INDEX questions_answered_by ON counseling.questions(answered_by) WHERE answered_by IS NOT NULL;

CREATE TABLE counseling.assistant_feedback (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id UUID NOT NULL,
  student_id UUID NOT NULL,
  assistant_id UUID REFERENCES auth.users(id) ON DELETE SET NULL,
  content TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT assistant_feedback_session FOREIGN KEY (session_id, student_id)
    REFERENCES counseling.sessions(id, student_id) ON DELETE CASCADE
);
CREATE INDEX assistant_feedback_session_created ON counseling.assistant_feedback(session_id, created_at);
CREATE INDEX assistant_feedback_assistant ON counseling.assistant_feedback(assistant_id);

-- One assistant a student, many students an assistant (W37, G63).
CREATE TABLE counseling.assistant_students (
  student_id UUID PRIMARY KEY REFERENCES auth.users(id) ON DELETE CASCADE,
  assistant_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  visitor_instance_id UUID NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT assistant_students_instance FOREIGN KEY (visitor_instance_id, student_id)
    REFERENCES counseling.visitor_instances(id, owner_id) ON DELETE CASCADE
);
CREATE INDEX assistant_students_assistant ON counseling.assistant_students(assistant_id);

CREATE TABLE counseling.weekly_compliance (
  week_key TEXT NOT NULL,
  student_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
  class_id INTEGER,
  assistant_id UUID REFERENCES auth.users(id) ON DELETE SET NULL,
  has_session SMALLINT NOT NULL,
  has_thought_record_by_fri SMALLINT NOT NULL,
  has_any_feedback_by_sun SMALLINT NOT NULL,
  locked SMALLINT NOT NULL,
  computed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (week_key, student_id)
);
CREATE INDEX weekly_compliance_class ON counseling.weekly_compliance(week_key, class_id);
CREATE INDEX weekly_compliance_student ON counseling.weekly_compliance(student_id);
CREATE INDEX weekly_compliance_assistant ON counseling.weekly_compliance(assistant_id);
"""

# What the policies ask. Under the system role, so that they see the people whom the caller may not.
SCOPES = """
CREATE FUNCTION counseling.caller_role() RETURNS TEXT
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN a.is_admin THEN 'admin' ELSE u.role END
  FROM counseling.users AS u JOIN auth.users AS a ON a.id = u.auth_user_id
  WHERE u.auth_user_id = auth.uid() AND u.status = 'active'
$$;

-- The students whose records the caller reads as their technical assistant (E045).
CREATE FUNCTION counseling.bound_students() RETURNS UUID[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(b.student_id), '{}') FROM counseling.assistant_students AS b
  WHERE b.assistant_id = auth.uid() AND counseling.caller_role() = 'assistant_tech'
$$;

-- The students whom the caller knows by name: those, or his class's (E046), whose records he does not read (G59).
CREATE FUNCTION counseling.known_students() RETURNS UUID[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE counseling.caller_role()
    WHEN 'assistant_tech' THEN counseling.bound_students()
    WHEN 'assistant_class' THEN (
      SELECT coalesce(array_agg(s.auth_user_id), '{}') FROM counseling.users AS s
      JOIN counseling.users AS me ON me.auth_user_id = auth.uid()
      WHERE s.role = 'student' AND s.class_id = me.class_id)
    ELSE '{}'::uuid[] END
$$;

-- How the caller stands to a student: own, bound, class, admin; NULL: not at all.
CREATE FUNCTION counseling.scope(student UUID) RETURNS TEXT
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE r.role
    WHEN 'student' THEN CASE WHEN student = auth.uid() THEN 'own' END
    WHEN 'assistant_tech' THEN CASE WHEN student = ANY (counseling.bound_students()) THEN 'bound' END
    WHEN 'assistant_class' THEN CASE WHEN EXISTS (
      SELECT FROM counseling.users AS s JOIN counseling.users AS me ON me.class_id = s.class_id
      WHERE s.auth_user_id = student AND me.auth_user_id = auth.uid()) THEN 'class' END
    WHEN 'admin' THEN 'admin' END
  FROM (SELECT counseling.caller_role() AS role) AS r
$$;

-- Whose a thing is, and the caller's scope there; no row: there is no such thing (G59).
CREATE FUNCTION counseling.locate(kind TEXT, thing UUID) RETURNS TABLE (student_id UUID, scope TEXT)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT found.student_id, counseling.scope(found.student_id) FROM (
    SELECT s.student_id FROM counseling.sessions AS s WHERE kind = 'session' AND s.id = thing
    UNION ALL
    SELECT v.owner_id FROM counseling.visitor_instances AS v WHERE kind = 'instance' AND v.id = thing
    UNION ALL
    SELECT q.student_id FROM counseling.questions AS q WHERE kind = 'question' AND q.id = thing
    UNION ALL
    SELECT u.auth_user_id FROM counseling.users AS u
    WHERE kind = 'student' AND u.auth_user_id = thing AND u.role = 'student'
  ) AS found(student_id)
$$;
"""

# The functions of `SCOPES` read these three as the system: CASE sees to it that they do not ask themselves.
POLICIES = """
CREATE POLICY owner ON counseling.users USING ((SELECT auth.uid()) = auth_user_id);
CREATE POLICY system ON counseling.users USING ((SELECT auth.is_system()));
CREATE POLICY staff ON counseling.users FOR SELECT USING (CASE WHEN (SELECT auth.is_system()) THEN true
  ELSE (SELECT counseling.caller_role()) = 'admin'
    OR auth_user_id = ANY ((SELECT counseling.known_students())::uuid[]) END);

CREATE POLICY owner ON counseling.assistant_students USING ((SELECT auth.uid()) = student_id);
CREATE POLICY system ON counseling.assistant_students USING ((SELECT auth.is_system()));
CREATE POLICY staff ON counseling.assistant_students FOR SELECT USING (CASE WHEN (SELECT auth.is_system()) THEN true
  ELSE (SELECT counseling.caller_role()) = 'admin'
    OR student_id = ANY ((SELECT counseling.bound_students())::uuid[]) END);
"""

# Whoever reads, by the column that says whose a row is.
_READ = {
    "visitor_instances": "owner_id",
    "sessions": "student_id",
    "long_term_memory_versions": "student_id",
    "thought_records": "student_id",
    "questions": "student_id",
    "assistant_feedback": "student_id",
    "weekly_compliance": "student_id",
}
# What its owner writes himself; feedback is others' (G60), compliance and instances the system's.
_WRITTEN = ("visitor_instances", "sessions", "long_term_memory_versions", "thought_records", "questions")

_OTHERS_WRITE = """
CREATE POLICY author ON counseling.assistant_feedback FOR INSERT
  WITH CHECK (assistant_id = (SELECT auth.uid()) AND student_id = ANY ((SELECT counseling.bound_students())::uuid[]));
CREATE POLICY answers ON counseling.questions FOR UPDATE
  USING (student_id = ANY ((SELECT counseling.bound_students())::uuid[]));
"""

# A person's address does not outlive him.
FORGET_USER = """
CREATE FUNCTION counseling.forget_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM counseling.whitelist_emails WHERE email = OLD.email;
  DELETE FROM counseling.email_codes WHERE email = OLD.email;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_user AFTER DELETE ON counseling.users
  FOR EACH ROW EXECUTE FUNCTION counseling.forget_user();
"""


def upgrade() -> None:
    """Make the tables, each closed to everybody but whom its policies name."""
    for ddl in (PEOPLE, SESSIONS, HANDED_IN, SCOPES):
        op.execute(ddl)
    for table in (*_READ, "users", "assistant_students"):
        op.execute(f"ALTER TABLE counseling.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE counseling.{table} FORCE ROW LEVEL SECURITY")
    op.execute(POLICIES)
    for table, owner in _READ.items():
        own = "" if table in _WRITTEN else "FOR SELECT"
        op.execute(f"CREATE POLICY owner ON counseling.{table} {own} USING ((SELECT auth.uid()) = {owner})")
        op.execute(f"CREATE POLICY system ON counseling.{table} USING ((SELECT auth.is_system()))")
        op.execute(f"CREATE POLICY admin ON counseling.{table} USING ((SELECT counseling.caller_role()) = 'admin')")
        op.execute(
            f"CREATE POLICY staff ON counseling.{table} FOR SELECT"
            f" USING ({owner} = ANY ((SELECT counseling.bound_students())::uuid[]))"
        )
    op.execute(_OTHERS_WRITE)
    op.execute(FORGET_USER)


def downgrade() -> None:
    """Remove them; people and threads stay."""
    op.execute("DROP SCHEMA counseling CASCADE")
