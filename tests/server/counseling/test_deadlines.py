"""Deadlines over HTTP and in SQL: who may start, a week's flags, completion, the daily job (E063–E067, G54–G57)."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from core.clock import BEIJING
from server.counseling import daily, staff_repository, weeks
from server.counseling.weeks import Handed
from tests.kit.app import Service
from tests.kit.cases import together
from tests.kit.people import SetClock
from tests.server.counseling.conftest import ENROLLED, Person, School, execute, imported, login, refusal, rows

LOCKED = (403, "student_locked_for_week")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2025, 9, day, hour, minute, tzinfo=BEIJING)


async def done(school: School, who: Person, session: str) -> None:
    assert (await who.say(session)).status_code == 200
    assert (await who.finalize(session)).status_code == 200


async def test_an_overdue_student_starts_nothing_until_monday(school: School) -> None:
    school.clock.time = at(27) - timedelta(milliseconds=1)
    assert (await school.s1.start()).status_code == 200
    school.clock.time = at(27)
    refused = await school.s1.start()
    assert refused.status_code == 403
    assert refused.json() == {
        "error": "forbidden",
        "code": "student_locked_for_week",
        "message": "本周已失去开启对话权限（北京时间）",
    }
    assert refusal(await school.s1.start(auto=False, sessionNumber=9)) == LOCKED
    # For the others it is their role that counts, and nobody but students is ever locked.
    for who in (school.ta1, school.ca3):
        assert refusal(await who.start(school.s1.instance)) == (403, "forbidden")
    assert (await school.ad.start(school.s1.instance)).status_code == 200
    school.clock.time = at(29)
    assert (await school.s1.start()).status_code == 200


async def test_who_did_the_week_goes_on(school: School) -> None:
    school.clock.time = at(25, 9)
    session = await school.s1.session()
    await done(school, school.s1, session)
    school.clock.time = at(26, 12)
    assert (await school.s1.hand_in(session)).status_code == 200
    school.clock.time = at(27, 10)
    assert (await school.s1.start()).status_code == 200
    assert refusal(await school.s2.start()) == LOCKED


async def test_what_is_late_is_accepted_and_unlocks_nothing(school: School) -> None:
    school.clock.time = at(26, 9)
    session = await school.s1.session()
    school.clock.time = at(27, 9)
    await done(school, school.s1, session)
    assert (await school.s1.hand_in(session)).status_code == 200
    school.clock.time = at(27, 10)
    assert refusal(await school.s1.start()) == LOCKED
    [item] = (await school.ca3.client.get("/assistant-class/compliance")).json()["items"]
    assert (item["hasSession"], item["hasThoughtRecordByFri"], item["locked"]) == (1, 0, 1)


async def test_who_was_enrolled_after_the_deadline_is_not_locked(school: School, sender: Any) -> None:
    csv = "email,role,classId,assignedVisitor\nlate@example.edu,student,3,4\n"
    await imported(school.service, csv, at(27, 1))
    school.clock.time = at(27, 10)
    late = await login(school.service, sender, "late@example.edu")
    assert (await late.start()).status_code == 200


async def test_the_report(school: School) -> None:
    """E066: its keys in their order; numbers, not truth values; the assistant of the present binding."""
    session = await school.s1.session()
    await done(school, school.s1, session)
    await school.s1.hand_in(session)
    await school.ta1.client.post("/assistant/feedback", json={"sessionId": session, "content": "好"})
    response = await school.ca3.client.get("/assistant-class/compliance")
    assert response.headers["cache-control"] == "no-store"
    [item] = response.json()["items"]
    assert item == {
        "weekKey": "2025-39",
        "classId": 3,
        "studentId": school.s1.id,
        "assistantId": school.ta1.id,
        "hasSession": 1,
        "hasThoughtRecordByFri": 1,
        "hasAnyFeedbackBySun": 1,
        "locked": 0,
        "computedAt": "2025-09-23T02:00:00.000Z",
    }
    assert list(item) == [
        *("weekKey", "classId", "studentId", "assistantId", "hasSession", "hasThoughtRecordByFri"),
        *("hasAnyFeedbackBySun", "locked", "computedAt"),
    ]
    assert type(item["locked"]) is int
    everybody = (await school.ad.client.get("/assistant-class/compliance")).json()["items"]
    assert [(one["classId"], one["hasSession"]) for one in everybody] == [(3, 1), (4, 0)]
    only = (await school.ad.client.get("/assistant-class/compliance", params={"classId": 4})).json()["items"]
    assert [one["studentId"] for one in only] == [school.s2.id]
    # Another's feedback is not the bound assistant's.
    await execute(school.service, "UPDATE counseling.assistant_feedback SET assistant_id = %s", school.ta2.id)
    [item] = (await school.ca3.client.get("/assistant-class/compliance", params={"week": "2025-39"})).json()["items"]
    assert item["hasAnyFeedbackBySun"] == 0


@together("week", ["2025-40", "2025-9", "x", "2025-53", "", "2026-01"])
async def test_weeks_that_there_are_not(school: School, week: str) -> None:
    response = await school.ca3.client.get("/assistant-class/compliance", params={"week": week})
    assert refusal(response) == (400, "invalid_param")


async def test_a_past_week_is_computed_once(school: School) -> None:
    """G56; and a snapshot from within the week is not the week's."""
    school.clock.time = at(24, 10)
    session = await school.s1.session()
    await school.ca3.client.get("/assistant-class/compliance")
    await done(school, school.s1, session)
    school.clock.time = at(29, 10)
    past = {"week": "2025-39"}
    [item] = (await school.ca3.client.get("/assistant-class/compliance", params=past)).json()["items"]
    assert (item["hasSession"], item["locked"], item["computedAt"]) == (1, 1, "2025-09-29T02:00:00.000Z")
    await execute(school.service, "UPDATE counseling.sessions SET finalized_at = NULL")
    school.clock.move(hours=1)
    [again] = (await school.ca3.client.get("/assistant-class/compliance", params=past)).json()["items"]
    assert again == item
    # Before somebody was enrolled there was nothing to do.
    before = (await school.ca3.client.get("/assistant-class/compliance", params={"week": "2025-35"})).json()
    assert before == {"items": []}


async def test_the_daily_job_writes_this_week_and_the_one_before(school: School) -> None:
    """W33: what happens on Sunday is seen on Monday at 00:30."""
    school.clock.time = at(28, 0, 30)
    job = daily.DailyCompliance(school.service.runtime.system, school.clock)
    assert await job.look()
    school.clock.time = at(28, 12)
    assert not await job.look()
    session = await _started(school, at(24))
    await execute(school.service, "UPDATE counseling.sessions SET finalized_at = %s", school.clock.now())
    await school.ta1.client.post("/assistant/feedback", json={"sessionId": session, "content": "好"})
    school.clock.time = at(29, 0, 29)
    assert not await job.look()
    school.clock.time = at(29, 0, 30)
    assert await job.look()
    found = await rows(
        school.service,
        "SELECT week_key, has_session, has_any_feedback_by_sun AS fed FROM counseling.weekly_compliance"
        " WHERE student_id = %s ORDER BY week_key",
        school.s1.id,
    )
    assert [tuple(row.values()) for row in found] == [("2025-38", 0, 0), ("2025-39", 1, 1), ("2025-40", 0, 0)]
    # A clock that is set back, and forward by days, neither stops it nor makes it run without end.
    school.clock.time = at(20, 9)
    assert await job.look()
    assert not await job.look()
    school.clock.time = at(30, 23)
    assert await job.look()


async def _started(school: School, when: datetime) -> str:
    now, school.clock.time = school.clock.time, when
    session = await school.s1.session()
    school.clock.time = now
    return session


async def test_completion_counts_weeks_that_are_over(school: School) -> None:
    """E055."""
    for monday in (1, 8, 15):
        school.clock.time = at(monday + 1, 9)
        session = await school.s1.session()
        if monday != 8:
            await done(school, school.s1, session)
            await school.s1.hand_in(session)
    school.clock.time = at(23, 10)
    params = {"view": "completion"}
    [item] = (await school.ca3.client.get("/assistant-class/students", params=params)).json()["items"]
    assert list(item) == ["studentId", "name", "email", "userId", "completion"]
    assert item["completion"] == {"weeks": 3, "completed": 2, "rate": 0.667}
    both = (await school.ad.client.get("/assistant-class/students", params=params)).json()["items"]
    assert [one["completion"]["completed"] for one in both] == [2, 0]
    school.clock.time = at(2, 0)
    [item] = (await school.ca3.client.get("/assistant-class/students", params=params)).json()["items"]
    assert item["completion"] == {"weeks": 0, "completed": 0, "rate": None}


def _history(chance: Random, week: weeks.Week) -> list[Handed]:
    def moment() -> datetime:
        near = chance.choice([week.start, week.deadline, week.end, week.start + timedelta(days=3)])
        return near + timedelta(milliseconds=chance.choice([-1, 0, 1, chance.randint(-(10**8), 10**8)]))

    return [
        Handed(
            started=moment(),
            finalized=moment() if chance.random() < 0.7 else None,
            records=tuple(moment() for _ in range(chance.randint(0, 2))),
            feedback=tuple(moment() for _ in range(chance.randint(0, 2))),
        )
        for _ in range(chance.randint(0, 3))
    ]


@pytest.mark.parametrize("seed", [1, 2])
async def test_sql_and_rules_agree(service: Service, seed: int) -> None:
    """Of 200 students with sessions around every boundary, the database says what the pure rules say."""
    chance, week = Random(seed), weeks.parse("2026-01")
    ids = await _students(service, 200)
    enrolled = {one: chance.choice([ENROLLED, week.deadline, week.deadline - timedelta(milliseconds=1)]) for one in ids}
    histories = {one: _history(chance, week) for one in ids}
    [helper] = await rows(service, "SELECT auth_user_id AS id FROM counseling.users WHERE role = 'assistant_tech'")
    async with service.runtime.system.pool.connection() as connection, connection.cursor() as cursor:
        for one in ids:
            await cursor.execute(
                "UPDATE counseling.users SET created_at = %s WHERE auth_user_id = %s", (enrolled[one], one)
            )
            for number, handed in enumerate(histories[one], 1):
                await cursor.execute(_SESSION, (one, number, handed.started, handed.finalized, one))
                row: Any = await cursor.fetchone()
                for record in handed.records:
                    await cursor.execute(_RECORD, (row["id"], one, record))
                for given in handed.feedback:
                    await cursor.execute(_FEEDBACK, (row["id"], one, helper["id"], given))
    for now in (week.start, week.deadline - timedelta(microseconds=1), week.deadline, week.end + timedelta(days=9)):
        async with service.runtime.system.transaction() as session:
            await staff_repository.write_compliance(session, week, now)
        found = await rows(service, "SELECT * FROM counseling.weekly_compliance")
        assert len(found) == len(ids)
        for row in found:
            told = weeks.flags(week, now, enrolled[row["student_id"]], histories[row["student_id"]])
            kept = [row[name] for name in _FLAGS]
            assert kept == [int(getattr(told, name)) for name in _FLAGS], histories[row["student_id"]]


_FLAGS = ("has_session", "has_thought_record_by_fri", "has_any_feedback_by_sun", "locked")
_SESSION = """
INSERT INTO counseling.sessions (student_id, session_number, created_at, finalized_at, visitor_instance_id)
SELECT %s, %s, %s, %s, id FROM counseling.visitor_instances WHERE owner_id = %s RETURNING id
"""
_RECORD = """
INSERT INTO counseling.thought_records (session_id, student_id, created_at, triggering_event, thoughts_and_beliefs,
  consequences) VALUES (%s, %s, %s, 'a', 'b', 'c')
"""
_FEEDBACK = """
INSERT INTO counseling.assistant_feedback (session_id, student_id, assistant_id, created_at, content)
VALUES (%s, %s, %s, %s, 'x')
"""


async def _students(service: Service, count: int) -> list[Any]:
    lines = [f"st{n}@example.edu,student,{n % 20},ta@example.edu" for n in range(count)]
    header = ["email,role,classId,assignedTechAsst", "ta@example.edu,assistant_tech,,"]
    await imported(service, "\n".join(header + lines), ENROLLED)
    found = await rows(service, "SELECT auth_user_id AS id FROM counseling.users WHERE role = 'student'")
    return [row["id"] for row in found]


async def test_ten_thousand_students_in_two_seconds(service: Service, clock: SetClock) -> None:
    clock.time = datetime(2025, 9, 27, 3, tzinfo=UTC)
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute(_MANY)
        await connection.execute("ANALYZE counseling.users, counseling.sessions, counseling.thought_records")
    began = time.perf_counter()
    async with service.runtime.system.transaction() as session:
        written = await staff_repository.write_compliance(session, weeks.parse("2025-39"), clock.now())
    assert time.perf_counter() - began < 2
    assert written == 10_000
    [totals] = await rows(service, "SELECT sum(has_session) AS s, sum(locked) AS l FROM counseling.weekly_compliance")
    assert totals == {"s": 5_000, "l": 5_000}


_MANY = """
WITH u AS (
  INSERT INTO auth.users (id) SELECT gen_random_uuid() FROM generate_series(1, 10000) RETURNING id
), p AS (
  INSERT INTO counseling.users (auth_user_id, email, class_id, created_at)
  SELECT id, id || '@example.edu', 1, '2025-09-01' FROM u RETURNING auth_user_id
), v AS (
  INSERT INTO counseling.visitor_instances (owner_id, template_key)
  SELECT id, '1' FROM u RETURNING id, owner_id
), s AS (
  INSERT INTO counseling.sessions (visitor_instance_id, student_id, session_number, created_at, finalized_at)
  SELECT id, owner_id, 1, '2025-09-24', '2025-09-24 01:00' FROM (SELECT *, row_number() OVER () AS n FROM v) AS w
  WHERE n % 2 = 0 RETURNING id, student_id
)
INSERT INTO counseling.thought_records (session_id, student_id, triggering_event, thoughts_and_beliefs, consequences,
  created_at) SELECT id, student_id, 'a', 'b', 'c', '2025-09-25' FROM s
"""


async def test_reports_at_once(school: School) -> None:
    """Two people who look, and the job: one snapshot a student, and nobody is refused."""
    asked = [person.client.get("/assistant-class/compliance") for person in (school.ca3, school.ad) * 5]
    jobs = [daily.refresh(school.service.runtime.system, school.clock.now()) for _ in range(3)]
    answers, _ = await asyncio.gather(asyncio.gather(*asked), asyncio.gather(*jobs))
    assert all(answer.status_code == 200 for answer in answers)
    [count] = await rows(
        school.service, "SELECT count(*) AS n FROM counseling.weekly_compliance WHERE week_key = '2025-39'"
    )
    assert count["n"] == 2
