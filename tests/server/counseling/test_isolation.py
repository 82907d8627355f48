"""Who sees and writes what, in SQL: the application's role acting for each, without any endpoint (G59, G60, X031)."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from db.roles import role_url
from tests.server.counseling.conftest import School, execute, refusal, rows
from tests.server.counseling.test_roles import things_of


@pytest.fixture
async def scene(school: School) -> School:
    session = (await things_of(school)).session
    await school.s1.hand_in(session)
    await school.s1.finalize(session)
    await school.ta1.client.post("/assistant/feedback", json={"sessionId": session, "content": "好"})
    other = await school.s2.session()
    await school.s2.say(other)
    return school


async def test_what_everybody_reads(scene: School, database_url: str) -> None:
    tables = {
        "sessions": "student_id",
        "visitor_instances": "owner_id",
        "long_term_memory_versions": "student_id",
        "thought_records": "student_id",
        "questions": "student_id",
        "assistant_feedback": "student_id",
    }
    first, second = {scene.s1.id}, {scene.s2.id}
    expected = {"s1": first, "s2": second, "ta1": first, "ta2": second, "ca3": set(), "ad": first | second}

    def look() -> dict[str, dict[str, set[str]]]:
        with psycopg.connect(role_url(database_url, "app"), autocommit=True) as app:
            return {
                who: {table: _owners(app, scene.people[who].id, table, column) for table, column in tables.items()}
                for who in expected
            }

    seen = await asyncio.to_thread(look)
    for who, whose in expected.items():
        assert seen[who]["sessions"] == whose, who
        for table, found in seen[who].items():
            assert found <= whose, f"{who} {table}"


@pytest.mark.parametrize("who", ["s2", "ta2", "ca3", "ta1", "s1"])
async def test_what_nobody_writes(scene: School, database_url: str, who: str) -> None:
    """No transcript is changed by who only reads it, no row given away, none taken back."""
    [row] = await rows(scene.service, "SELECT id FROM counseling.sessions WHERE student_id = %s", scene.s1.id)
    session, student, me = str(row["id"]), scene.s1.id, scene.people[who].id
    forbidden = [
        ("UPDATE counseling.sessions SET student_id = %s", (me,)),
        ("DELETE FROM counseling.sessions", ()),
        ("DELETE FROM counseling.thought_records", ()),
        ("UPDATE counseling.assistant_feedback SET content = 'x'", ()),
        ("UPDATE counseling.users SET role = 'admin'", ()),
        ("INSERT INTO counseling.assistant_students VALUES (%s, %s, %s)", (student, me, scene.s1.instance)),
        ("SELECT FROM counseling.whitelist_emails", ()),
        ("SELECT FROM counseling.email_codes", ()),
        ("UPDATE counseling.weekly_compliance SET locked = 0", ()),
    ]
    changes = [("UPDATE counseling.sessions SET session_diary = 'x' WHERE id = %s", (session,))]
    if who != "ta1":
        forbidden.append(
            (
                "INSERT INTO counseling.assistant_feedback (session_id, student_id, assistant_id, content)"  # noqa: ISC004
                " VALUES (%s, %s, %s, 'x')",
                (session, student, me),
            )
        )
    if who != "s1":
        forbidden.append(
            (
                "INSERT INTO counseling.questions (session_id, student_id, content) VALUES (%s, %s, 'x')",
                (session, student),
            )
        )

    def attempt() -> list[str]:
        got_through = []
        with psycopg.connect(role_url(database_url, "app"), autocommit=True) as app:
            app.execute("SELECT set_config('app.user_id', %s, false)", (me,))
            for statement, values in forbidden:
                try:
                    app.execute(statement.encode(), values)
                except InsufficientPrivilege:
                    continue
                got_through.append(statement)
            for statement, values in changes:
                if app.execute(statement.encode(), values).rowcount and who != "s1":
                    got_through.append(statement)
        return got_through

    assert await asyncio.to_thread(attempt) == []


async def test_entry_points_ask_who_calls(scene: School, database_url: str) -> None:
    calls = [
        "SELECT * FROM counseling.class_compliance('2025-39', now(), now(), now(), now(), NULL)",
        "SELECT * FROM counseling.class_completion(NULL, ARRAY[now()], ARRAY[now()], ARRAY[now()])",
        f"SELECT * FROM counseling.class_sessions('{scene.s1.id}')",
    ]
    assign = "SELECT counseling.assign_assistant('ta1@example.edu', 's2@example.edu', %s, now())"

    def look() -> None:
        with psycopg.connect(role_url(database_url, "app"), autocommit=True) as app:
            for who in ("s1", "s2", "ta1", "ta2"):
                app.execute("SELECT set_config('app.user_id', %s, false)", (scene.people[who].id,))
                for call in calls:
                    assert app.execute(call.encode()).fetchall() == [], f"{who} {call}"
                assert app.execute(assign.encode(), (scene.s2.instance,)).fetchone() == ("forbidden",)

    await asyncio.to_thread(look)


async def test_an_account_that_is_not_active_sees_nothing_of_others(scene: School, database_url: str) -> None:
    await execute(scene.service, "UPDATE counseling.users SET status = 'inactive' WHERE role <> 'student'")

    def look() -> None:
        with psycopg.connect(role_url(database_url, "app"), autocommit=True) as app:
            for who in ("ta1", "ad", "ca3"):
                assert _owners(app, scene.people[who].id, "sessions", "student_id") == set(), who

    await asyncio.to_thread(look)
    for who in ("ta1", "ad", "ca3"):
        assert refusal(await scene.people[who].client.get("/me")) == (401, "unauthorized")


def _owners(app: Connection[Any], user_id: str, table: str, column: str) -> set[str]:
    app.execute("SELECT set_config('app.user_id', %s, false)", (user_id,))
    return {row[0] for row in app.execute(f"SELECT {column}::text FROM counseling.{table}".encode()).fetchall()}
