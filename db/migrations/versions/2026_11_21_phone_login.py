"""Phone login (000): users, verification codes, and what works on them before there is a user (A045, A051, K16)."""

from collections.abc import Sequence

from alembic import op

revision: str = "2026_11_21_phone_login"
down_revision: str | None = "2026_11_21_isolation"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = """
CREATE SCHEMA audio;
CREATE TABLE audio.users (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  auth_user_id UUID NOT NULL UNIQUE REFERENCES auth.users(id) ON DELETE CASCADE,
  phone VARCHAR(11) NOT NULL UNIQUE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  last_login_at TIMESTAMPTZ,
  is_active BOOLEAN NOT NULL DEFAULT true
);
ALTER TABLE audio.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE audio.users FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON audio.users USING ((SELECT auth.uid()) = auth_user_id);
CREATE POLICY system ON audio.users USING ((SELECT auth.is_system()));

-- `code` holds an HMAC of the code (G13). No owner: a code is there before its user may be.
CREATE TABLE audio.verification_codes (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  phone VARCHAR(11) NOT NULL,
  code TEXT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  used BOOLEAN NOT NULL DEFAULT false,
  wrong_tries SMALLINT NOT NULL DEFAULT 0,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX verification_codes_phone_created ON audio.verification_codes(phone, created_at DESC);
CREATE INDEX verification_codes_created ON audio.verification_codes(created_at);
"""

CODES = """
-- Keeps a new code and makes older ones void; or says when it may be asked again: `gap` after the last one, and a day
-- after the oldest of as many as a day allows.
CREATE FUNCTION audio.issue_code(
  whose TEXT, hashed TEXT, at TIMESTAMPTZ, expires TIMESTAMPTZ, gap INTERVAL, most_a_day INTEGER)
RETURNS TABLE (code_id UUID, next_at TIMESTAMPTZ)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  latest TIMESTAMPTZ;
  oldest TIMESTAMPTZ;
BEGIN
  -- Two requests at once for one phone must not both find that none was sent.
  PERFORM pg_advisory_xact_lock(hashtextextended('audio.verification_codes ' || whose, 0));
  -- Nobody's, also not those of people who never came back: phones are personal.
  DELETE FROM audio.verification_codes AS c WHERE c.created_at <= at - interval '1 day';
  SELECT max(c.created_at) INTO latest FROM audio.verification_codes AS c WHERE c.phone = whose;
  SELECT c.created_at INTO oldest FROM audio.verification_codes AS c
  WHERE c.phone = whose ORDER BY c.created_at DESC OFFSET most_a_day - 1 LIMIT 1;
  IF latest > at - gap OR oldest IS NOT NULL THEN
    RETURN QUERY SELECT NULL::uuid, greatest(latest + gap, oldest + interval '1 day');
    RETURN;
  END IF;
  UPDATE audio.verification_codes AS c SET used = true WHERE c.phone = whose AND NOT c.used;
  RETURN QUERY INSERT INTO audio.verification_codes (phone, code, expires_at, created_at)
    VALUES (whose, hashed, expires, at) RETURNING id, NULL::timestamptz;
END $$;

-- Takes back a code that could not be sent, so that the next request need not wait.
CREATE FUNCTION audio.withdraw_code(unsent UUID) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM audio.verification_codes WHERE id = unsent
$$;

-- Uses a code up and says who it is, making the user at the first time. It answers and does not raise, so that a wrong
-- try is counted and a burned code stays burned: `refused`, `inactive` or `ok`.
CREATE FUNCTION audio.sign_in(whose TEXT, hashed TEXT, at TIMESTAMPTZ, most_tries INTEGER)
RETURNS TABLE (outcome TEXT, user_id UUID, is_admin BOOLEAN)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  kept audio.verification_codes;
  known audio.users;
BEGIN
  SELECT * INTO kept FROM audio.verification_codes AS c
  WHERE c.phone = whose AND NOT c.used AND c.expires_at > at ORDER BY c.created_at DESC LIMIT 1 FOR UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'refused', NULL::uuid, NULL::boolean;
    RETURN;
  END IF;
  IF kept.code <> hashed THEN
    UPDATE audio.verification_codes AS c
    SET wrong_tries = kept.wrong_tries + 1, used = kept.wrong_tries + 1 >= most_tries WHERE c.id = kept.id;
    RETURN QUERY SELECT 'refused', NULL::uuid, NULL::boolean;
    RETURN;
  END IF;
  UPDATE audio.verification_codes AS c SET used = true WHERE c.id = kept.id;
  SELECT * INTO known FROM audio.users AS u WHERE u.phone = whose FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO auth.users DEFAULT VALUES RETURNING id INTO known.auth_user_id;
    INSERT INTO audio.users (auth_user_id, phone, created_at, updated_at)
    VALUES (known.auth_user_id, whose, at, at) RETURNING * INTO known;
  ELSIF NOT known.is_active THEN
    RETURN QUERY SELECT 'inactive', NULL::uuid, NULL::boolean;
    RETURN;
  END IF;
  UPDATE audio.users AS u SET last_login_at = at, updated_at = at WHERE u.id = known.id;
  RETURN QUERY SELECT 'ok', u.id, u.is_admin FROM auth.users AS u WHERE u.id = known.auth_user_id;
END $$;
"""

# Role and active state are read at each request (K18); a key of a user who was made inactive is refused too.
IDENTITY = """
CREATE OR REPLACE FUNCTION auth.identify_key(sha256 BYTEA) RETURNS TABLE (user_id UUID, is_admin BOOLEAN)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.is_admin FROM auth.api_keys AS k
  JOIN auth.users AS u ON u.id = k.user_id LEFT JOIN audio.users AS a ON a.auth_user_id = u.id
  WHERE k.key_sha256 = sha256 AND k.revoked_at IS NULL AND a.is_active IS NOT FALSE
$$;

CREATE FUNCTION auth.identify_phone(subject UUID) RETURNS TABLE (user_id UUID, is_admin BOOLEAN)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.is_admin FROM auth.users AS u JOIN audio.users AS a ON a.auth_user_id = u.id
  WHERE u.id = subject AND a.is_active
$$;
"""

FORMER_IDENTIFY_KEY = """
CREATE OR REPLACE FUNCTION auth.identify_key(sha256 BYTEA) RETURNS TABLE (user_id UUID, is_admin BOOLEAN)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.is_admin FROM auth.api_keys AS k JOIN auth.users AS u ON u.id = k.user_id
  WHERE k.key_sha256 = sha256 AND k.revoked_at IS NULL
$$;
"""


def upgrade() -> None:
    """Make the tables and the entry points."""
    for ddl in (TABLES, CODES, IDENTITY):
        op.execute(ddl)


def downgrade() -> None:
    """Remove the logins; their users stay."""
    op.execute(FORMER_IDENTIFY_KEY)
    op.execute("DROP FUNCTION auth.identify_phone(UUID)")
    op.execute("DROP SCHEMA audio CASCADE")
