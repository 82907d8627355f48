"""Entry points of counseling: before there is a user, or on more than the caller sees (E046, E048–E052, E066)."""

from collections.abc import Sequence
from importlib import import_module

from alembic import op

revision: str = "2026_11_21_counseling_entry"
down_revision: str | None = "2026_11_21_counseling"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOGIN = """
-- Keeps a new code for any address, so that all are answered alike; `is_known` says whether it may be sent (G62).
CREATE FUNCTION counseling.issue_code(
  whose TEXT, hashed TEXT, at TIMESTAMPTZ, expires TIMESTAMPTZ, gap INTERVAL, most_a_day INTEGER)
RETURNS TABLE (code_id UUID, next_at TIMESTAMPTZ, is_known BOOLEAN)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  latest TIMESTAMPTZ;
  oldest TIMESTAMPTZ;
BEGIN
  -- Two requests at once for one address must not both find that none was sent.
  PERFORM pg_advisory_xact_lock(hashtextextended('counseling.email_codes ' || whose, 0));
  DELETE FROM counseling.email_codes AS c WHERE c.created_at <= at - interval '1 day';
  SELECT max(c.created_at) INTO latest FROM counseling.email_codes AS c WHERE c.email = whose;
  SELECT c.created_at INTO oldest FROM counseling.email_codes AS c
  WHERE c.email = whose ORDER BY c.created_at DESC OFFSET most_a_day - 1 LIMIT 1;
  IF latest > at - gap OR oldest IS NOT NULL THEN
    RETURN QUERY SELECT NULL::uuid, greatest(latest + gap, oldest + interval '1 day'), false;
    RETURN;
  END IF;
  UPDATE counseling.email_codes AS c SET used = true WHERE c.email = whose AND NOT c.used;
  RETURN QUERY INSERT INTO counseling.email_codes (email, code, expires_at, created_at)
    VALUES (whose, hashed, expires, at) RETURNING id, NULL::timestamptz, EXISTS (
      SELECT FROM counseling.users AS u JOIN counseling.whitelist_emails AS w ON w.email = u.email
      WHERE u.email = whose AND u.status = 'active' AND w.status = 'active');
END $$;

-- Takes back a code that could not be sent, so that the next request need not wait.
CREATE FUNCTION counseling.withdraw_code(unsent UUID) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM counseling.email_codes WHERE id = unsent
$$;

-- Uses a code up and says who it is. It answers and does not raise, so that a wrong try is counted and a burned code
-- stays burned: `refused`, `inactive` or `ok`.
CREATE FUNCTION counseling.sign_in(whose TEXT, hashed TEXT, at TIMESTAMPTZ, most_tries INTEGER)
RETURNS TABLE (outcome TEXT, user_id UUID, role TEXT)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  kept counseling.email_codes;
BEGIN
  SELECT * INTO kept FROM counseling.email_codes AS c
  WHERE c.email = whose AND NOT c.used AND c.expires_at > at ORDER BY c.created_at DESC LIMIT 1 FOR UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'refused', NULL::uuid, NULL::text;
    RETURN;
  END IF;
  IF kept.code <> hashed THEN
    UPDATE counseling.email_codes AS c
    SET wrong_tries = kept.wrong_tries + 1, used = kept.wrong_tries + 1 >= most_tries WHERE c.id = kept.id;
    RETURN QUERY SELECT 'refused', NULL::uuid, NULL::text;
    RETURN;
  END IF;
  UPDATE counseling.email_codes AS c SET used = true WHERE c.id = kept.id;
  UPDATE counseling.users AS u SET last_login_at = at FROM counseling.whitelist_emails AS w
  WHERE u.email = whose AND w.email = whose AND u.status = 'active' AND w.status = 'active';
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'inactive', NULL::uuid, NULL::text;
    RETURN;
  END IF;
  RETURN QUERY SELECT 'ok', u.auth_user_id, CASE WHEN a.is_admin THEN 'admin' ELSE u.role END
    FROM counseling.users AS u JOIN auth.users AS a ON a.id = u.auth_user_id WHERE u.email = whose;
END $$;
"""

# Role and status are read at each request (K18, G62); who is an administrator here is one everywhere (K23).
IDENTITY = """
CREATE FUNCTION auth.identify_email(subject UUID) RETURNS TABLE (user_id UUID, is_admin BOOLEAN)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.is_admin OR c.role = 'admin' FROM auth.users AS u JOIN counseling.users AS c ON c.auth_user_id = u.id
  WHERE u.id = subject AND c.status = 'active'
$$;

CREATE OR REPLACE FUNCTION auth.identify_key(sha256 BYTEA) RETURNS TABLE (user_id UUID, is_admin BOOLEAN)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.is_admin OR c.role IS NOT DISTINCT FROM 'admin' FROM auth.api_keys AS k
  JOIN auth.users AS u ON u.id = k.user_id LEFT JOIN audio.users AS a ON a.auth_user_id = u.id
  LEFT JOIN counseling.users AS c ON c.auth_user_id = u.id
  WHERE k.key_sha256 = sha256 AND k.revoked_at IS NULL AND a.is_active IS NOT FALSE
    AND (c.status IS NULL OR c.status = 'active')
$$;

CREATE FUNCTION counseling.member(subject UUID) RETURNS TABLE (email TEXT, role TEXT, class_id INTEGER)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.email, CASE WHEN u.is_admin THEN 'admin' ELSE c.role END, c.class_id
  FROM counseling.users AS c JOIN auth.users AS u ON u.id = c.auth_user_id
  WHERE u.id = subject AND c.status = 'active'
$$;
"""

# Lists and flags, no transcripts: a class's assistant has no policy on the tables themselves (G59).
CLASS_VIEW = """
CREATE FUNCTION counseling.class_sessions(student UUID)
RETURNS TABLE (id UUID, session_number INTEGER, created_at TIMESTAMPTZ)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.id, s.session_number, s.created_at FROM counseling.sessions AS s
  WHERE s.student_id = student AND counseling.scope(student) IN ('class', 'admin')
  ORDER BY s.created_at DESC, s.session_number DESC
$$;

-- The class that the caller may look at: his own, or for an administrator the wanted one; NULL there: all.
CREATE FUNCTION counseling.visible_class(wanted INTEGER) RETURNS TABLE (is_allowed BOOLEAN, class INTEGER)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE counseling.caller_role() WHEN 'admin' THEN true WHEN 'assistant_class' THEN u.class_id IS NOT NULL
           ELSE false END,
         CASE counseling.caller_role() WHEN 'admin' THEN wanted ELSE u.class_id END
  FROM counseling.users AS u WHERE u.auth_user_id = auth.uid()
$$;

-- Of the given weeks, how many each student should have done, and how many he did (E055, G54).
CREATE FUNCTION counseling.class_completion(
  wanted INTEGER, starts TIMESTAMPTZ[], deadlines TIMESTAMPTZ[], ends TIMESTAMPTZ[])
RETURNS TABLE (student_id UUID, weeks BIGINT, completed BIGINT)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH week AS (SELECT * FROM unnest(starts, deadlines, ends) AS w(starts, deadline, ends)),
  done AS (
    SELECT DISTINCT s.student_id, week.starts FROM counseling.sessions AS s
    JOIN week ON s.created_at >= week.starts AND s.created_at < week.ends AND s.finalized_at < week.deadline
    JOIN counseling.thought_records AS t ON t.session_id = s.id AND t.created_at < week.deadline
  )
  SELECT u.auth_user_id, count(*), count(done.starts)
  FROM counseling.visible_class(wanted) AS v
  JOIN counseling.users AS u ON v.is_allowed AND u.role = 'student' AND (v.class IS NULL OR u.class_id = v.class)
  JOIN week ON u.created_at < week.deadline
  LEFT JOIN done ON done.student_id = u.auth_user_id AND done.starts = week.starts
  GROUP BY u.auth_user_id
$$;
"""

# Under its caller's rights: the system's own jobs may call it, requests go through `class_compliance`.
COMPLIANCE = """
-- Writes a week's flags (G55), says of how many students. What was computed after its end stays, if `settled`.
CREATE FUNCTION counseling.write_compliance(
  week TEXT, starts TIMESTAMPTZ, deadline TIMESTAMPTZ, ends TIMESTAMPTZ, at TIMESTAMPTZ,
  only_class INTEGER, settled BOOLEAN)
RETURNS BIGINT LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  written BIGINT;
BEGIN
  INSERT INTO counseling.weekly_compliance AS kept (week_key, student_id, class_id, assistant_id, has_session,
    has_thought_record_by_fri, has_any_feedback_by_sun, locked, computed_at)
  SELECT week, u.auth_user_id, u.class_id, b.assistant_id,
         coalesce(f.finalized, false)::int, coalesce(f.recorded, false)::int, coalesce(r.given, false)::int,
         (at >= deadline AND u.created_at < deadline AND NOT coalesce(f.done, false))::int, at
  FROM counseling.users AS u
  LEFT JOIN counseling.assistant_students AS b ON b.student_id = u.auth_user_id
  LEFT JOIN (
    SELECT s.student_id, true AS finalized, bool_or(t.created_at < deadline) AS recorded,
           bool_or(s.finalized_at < deadline AND t.created_at < deadline) AS done
    FROM counseling.sessions AS s LEFT JOIN counseling.thought_records AS t ON t.session_id = s.id
    WHERE s.created_at >= starts AND s.created_at < ends AND s.finalized_at IS NOT NULL
    GROUP BY s.student_id
  ) AS f ON f.student_id = u.auth_user_id
  LEFT JOIN (
    SELECT DISTINCT s.student_id, a.assistant_id, true AS given FROM counseling.sessions AS s
    JOIN counseling.assistant_feedback AS a ON a.session_id = s.id AND a.created_at < ends
    WHERE s.created_at >= starts AND s.created_at < ends
  ) AS r ON r.student_id = u.auth_user_id AND r.assistant_id = b.assistant_id
  WHERE u.role = 'student' AND u.status = 'active' AND u.created_at < ends
    AND (only_class IS NULL OR u.class_id = only_class)
  ORDER BY u.auth_user_id
  ON CONFLICT (week_key, student_id) DO UPDATE SET class_id = excluded.class_id, assistant_id = excluded.assistant_id,
    has_session = excluded.has_session, has_thought_record_by_fri = excluded.has_thought_record_by_fri,
    has_any_feedback_by_sun = excluded.has_any_feedback_by_sun, locked = excluded.locked,
    computed_at = excluded.computed_at
  WHERE NOT settled OR kept.computed_at < ends;
  GET DIAGNOSTICS written = ROW_COUNT;
  RETURN written;
END $$;

-- Computes a week of the caller's class and gives it (E066, E067, G57); a week that is over is computed once.
CREATE FUNCTION counseling.class_compliance(
  week TEXT, starts TIMESTAMPTZ, deadline TIMESTAMPTZ, ends TIMESTAMPTZ, at TIMESTAMPTZ, wanted INTEGER)
RETURNS SETOF counseling.weekly_compliance
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  seen RECORD;
BEGIN
  SELECT * INTO seen FROM counseling.visible_class(wanted);
  IF seen.is_allowed IS NOT TRUE THEN
    RETURN;
  END IF;
  PERFORM counseling.write_compliance(week, starts, deadline, ends, at, seen.class, at >= ends);
  RETURN QUERY SELECT k.* FROM counseling.weekly_compliance AS k JOIN counseling.users AS u
    ON u.auth_user_id = k.student_id
    WHERE k.week_key = week AND (seen.class IS NULL OR k.class_id = seen.class)
      AND (at >= ends OR u.status = 'active')
    ORDER BY k.class_id, u.email;
END $$;
"""

ASSIGN = """
-- Binds a student to his one assistant (E056, G63, W37); says what was wrong, if anything.
CREATE FUNCTION counseling.assign_assistant(assistant TEXT, student TEXT, instance UUID, at TIMESTAMPTZ) RETURNS TEXT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  helper counseling.users;
  helped counseling.users;
  holder UUID;
BEGIN
  IF counseling.caller_role() IS DISTINCT FROM 'admin' THEN
    RETURN 'forbidden';
  END IF;
  SELECT * INTO helper FROM counseling.users AS u WHERE u.email = assistant;
  SELECT * INTO helped FROM counseling.users AS u WHERE u.email = student;
  SELECT v.owner_id INTO holder FROM counseling.visitor_instances AS v WHERE v.id = instance;
  IF helper.auth_user_id IS NULL THEN
    RETURN 'no_assistant';
  ELSIF helped.auth_user_id IS NULL THEN
    RETURN 'no_student';
  ELSIF holder IS NULL THEN
    RETURN 'no_instance';
  ELSIF helper.role <> 'assistant_tech' THEN
    RETURN 'not_an_assistant';
  ELSIF helped.role <> 'student' THEN
    RETURN 'not_a_student';
  ELSIF holder <> helped.auth_user_id THEN
    RETURN 'foreign_instance';
  END IF;
  INSERT INTO counseling.assistant_students (student_id, assistant_id, visitor_instance_id, created_at)
  VALUES (helped.auth_user_id, helper.auth_user_id, instance, at)
  ON CONFLICT (student_id) DO UPDATE SET assistant_id = excluded.assistant_id,
    visitor_instance_id = excluded.visitor_instance_id, created_at = excluded.created_at;
  RETURN 'ok';
END $$;
"""


def upgrade() -> None:
    """Make the entry points."""
    for ddl in (LOGIN, IDENTITY, CLASS_VIEW, COMPLIANCE, ASSIGN):
        op.execute(ddl)


def downgrade() -> None:
    """Remove them."""
    op.execute(_identify_key_before())
    for function in (
        *("auth.identify_email", "counseling.member", "counseling.issue_code", "counseling.withdraw_code"),
        *("counseling.sign_in", "counseling.class_sessions", "counseling.class_completion"),
        *("counseling.class_compliance", "counseling.write_compliance", "counseling.visible_class"),
        "counseling.assign_assistant",
    ):
        op.execute(f"DROP FUNCTION {function}")


def _identify_key_before() -> str:
    identity: str = import_module("db.migrations.versions.2026_11_21_phone_login").IDENTITY
    return identity.partition("CREATE FUNCTION auth.identify_phone")[0]
