"""A table of calls as a call centre has it: many users, one of them large, a year of calls."""

import time
from dataclasses import dataclass
from uuid import UUID

import psycopg


@dataclass(frozen=True)
class Size:
    """How much there is; `largest` calls belong to the user who is measured."""

    records: int
    users: int
    largest: int


# Others take turns; everybody has two agents, the even calls are the first one's.
_OTHERS = """
INSERT INTO auth.users SELECT gen_random_uuid() FROM generate_series(2, %(users)s);
INSERT INTO public.agents (user_id, name)
SELECT u.id, '智能客服' || n FROM auth.users AS u, generate_series(1, 2) AS n
WHERE NOT EXISTS (SELECT FROM public.agents WHERE user_id = u.id);
"""
_CALLS = """
WITH people AS (
  SELECT user_id, array_agg(id ORDER BY name) AS agents,
         row_number() OVER (ORDER BY user_id = %(me)s, user_id) - 1 AS place
  FROM public.agents GROUP BY user_id
), spread AS (
  SELECT n, CASE WHEN n <= %(largest)s THEN %(users)s - 1 ELSE n %% greatest(%(users)s - 1, 1) END AS place,
         CASE WHEN n <= %(largest)s THEN n::float8 / %(largest)s ELSE random() END AS age
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
)
INSERT INTO public.call_records (user_id, agent_id, caller_name, caller_phone, caller_app, start_time, end_time,
                                 duration_seconds, hangup_reason, messages, summary)
SELECT p.user_id, p.agents[1 + n %% 2], '来电' || n, '138' || lpad(n::text, 8, '0'),
       (ARRAY['微信', '企业微信', '钉钉', NULL])[1 + n %% 4],
       t.start, t.start + interval '300 s', 120 + (n %% 300)::int,
       (ARRAY['user', 'user', 'ai', 'timeout', 'silence', 'error']::public.call_hangup_reason[])[1 + n %% 6],
       jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', repeat('您好', 20), 'timestamp', n),
                         jsonb_build_object('role', 'user', 'content', md5(n::text) || repeat('问', 60),
                                            'timestamp', n)),
       repeat('摘要', 40) || n
FROM spread JOIN people AS p USING (place), LATERAL (SELECT now() - age * interval '365 days' AS start) AS t
"""
_BATCH = 50_000


def fill(url: str, size: Size, me: UUID) -> float:
    """Write the rows, the largest user's first, and let PostgreSQL look at them. Blocking; returns the seconds."""
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(_OTHERS.encode(), {"users": size.users})
        for first in range(1, size.records + 1, _BATCH):
            last = min(first + _BATCH - 1, size.records)
            values = {"first": first, "last": last, "me": me, "users": size.users, "largest": size.largest}
            connection.execute(_CALLS.encode(), values)
        # A commit that is not on the disk yet is not visible to all, and VACUUM would leave its pages out.
        connection.execute("SET synchronous_commit = on")
        connection.execute("CREATE TABLE public.flushed ()")
        connection.execute("DROP TABLE public.flushed")
        connection.execute("VACUUM (ANALYZE, PARALLEL 0) public.call_records")
    return time.perf_counter() - began
