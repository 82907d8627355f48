"""The whitelist's import, with every kind of dirt (G64, E076–E081, W38, W40)."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.counseling import whitelist
from server.counseling.whitelist import Problem, UnusableFile, clean_email, parse
from tests.kit.app import Service
from tests.server.counseling.conftest import CSV, ENROLLED, NAMES, School, execute, imported, refusal, rows

HEADER = (
    "email,name,userId,role,classId,assignedTechAsst,assignedClassAsst,assignedVisitor,inchargeVisitor,"
    "studentCount,status"
)


def one(line: str, header: str = HEADER) -> whitelist.Listed:
    found = parse(f"{header}\n{line}\n".encode())
    assert found.problems == []
    [person] = found.people
    return person


def problem(line: str, header: str = HEADER) -> str:
    found = parse(f"{header}\n{line}\n".encode())
    assert found.people == []
    [wrong] = found.problems
    assert wrong.line == 2
    return wrong.sentence


def test_a_full_line() -> None:
    person = one('ta@example.edu,助教,2001,assistant_tech,3,a@b.cn,c@d.cn,7,"[""1"",5]",12,active')
    assert vars(person) == {
        "line": 2,
        "email": "ta@example.edu",
        "name": "助教",
        "user_id": "2001",
        "role": "assistant_tech",
        "class_id": 3,
        "assigned_tech_asst": "a@b.cn",
        "assigned_class_asst": "c@d.cn",
        "assigned_visitor": "7",
        "incharge_visitor": ["1", "5"],
        "student_count": 12,
        "status": "active",
    }


def test_the_least_of_a_line() -> None:
    person = one("s@example.edu,student", "email,role")
    assert (person.name, person.user_id, person.status, person.class_id) == ("", None, "active", None)
    # Cells that are missing at its end are empty.
    assert one("s@example.edu,小明,1,student") == replace(one("s@example.edu,小明,1,student,,,"), line=2)


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        (" S1@Example.EDU ", "s1@example.edu"),
        ("\u200bs1@exa\u200dmple.edu\ufeff", "s1@example.edu"),
        ("s1@example.edu\u00a0", "s1@example.edu"),
    ],
)
def test_addresses(dirty: str, clean: str) -> None:
    assert clean_email(dirty) == clean
    assert one(f"{dirty},,,student").email == clean


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_and_line_ends(bom: str, end: str) -> None:
    text = bom + end.join([" Email ,ROLE", "a@b.cn,student", "", "  ", ",", "c@d.cn,Student"])
    assert [(person.line, person.email) for person in parse(text.encode()).people] == [(2, "a@b.cn"), (6, "c@d.cn")]


def test_a_student_number_in_place_of_a_business_number() -> None:
    """E080."""
    header = "email,userId,studentNo,role"
    assert one("a@b.cn,,77,student", header).user_id == "77"
    assert one("a@b.cn,1,77,student", header).user_id == "1"
    assert one("a@b.cn,77,student", "email,studentNo,role").user_id == "77"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (",小明,1,student", "email is missing"),
        ("nobody,,,student", "email is not an address"),
        ("a@b,,,student", "email is not an address"),
        ("a b@c.cn,,,student", "email is not an address"),
        ("a@b.cn;c@d.cn,,,student", "email is not an address"),
        ("a@b.cn,,,", "role must be one of"),
        ("a@b.cn,,,teacher", "role must be one of"),
        ("a@b.cn,,,student,三", "classId is not an integer"),
        ("a@b.cn,,,student,3.0", "classId is not an integer"),
        ("a@b.cn,,,student,-1", "classId is not an integer"),
        ("a@b.cn,,,student,99999999999", "classId is not an integer"),
        ("a@b.cn,,,student,3,,,11", "assignedVisitor must be one of"),
        ("a@b.cn,,,student,3,,,x", "assignedVisitor must be one of"),
        ("a@b.cn,,,assistant_tech,,,,,1;5", "inchargeVisitor is not a JSON list"),
        ('a@b.cn,,,assistant_tech,,,,,"{""1"": 2}"', "inchargeVisitor is not a JSON list"),
        ('a@b.cn,,,assistant_tech,,,,,"[true]"', "inchargeVisitor is not a JSON list"),
        ('a@b.cn,,,assistant_tech,,,,,"[11]"', "inchargeVisitor must be one of"),
        ("a@b.cn,,,assistant_tech,,,,," + "[" * 199, "inchargeVisitor is not a JSON list"),
        ('a@b.cn,,,assistant_tech,,,,,["1","5"]', "its quotes do not match"),
        ("a@b.cn,,,student,3,,,,,many", "studentCount is not an integer"),
        ("a@b.cn,,,student,3,,,,,,在读", "status must be a word"),
        ("a@b.cn,,,student,3,,,,,,active,more", "12 cells under 11 columns"),
        ("a@b.cn,x\x00y,,student", "name is not UTF-8 text"),
        ("a@b.cn," + "长" * 201 + ",,student", "name is longer than 200 characters"),
        ('"a@b.cn,,,student', "its quotes do not match"),
    ],
)
def test_bad_lines(line: str, says: str) -> None:
    assert problem(line).startswith(says)


def test_good_lines_are_kept_and_bad_ones_told_by_their_numbers() -> None:
    content = f'{HEADER}\na@b.cn,,1,student\n"x@y.cn,,,student\na@b.cn,,2,student\nc@d.cn,,1,student'
    found = parse(content.encode() + b"\nd@e.cn,\xd5\xc5\xc8\xfd,3,student\ne@f.cn,,4,student")
    assert [person.email for person in found.people] == ["a@b.cn", "e@f.cn"]
    assert [str(wrong) for wrong in found.problems] == [
        "line 3: its quotes do not match",
        "line 4: email is that of line 2",
        "line 5: userId is that of line 2",
        "line 6: name is not UTF-8 text",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"name,role\nx,student", "no column email"),
        (b"email;role\na@b.cn;student", "no column email"),
        (b"email,role,email\n", "a column twice"),
        (b'"email,role\n', "header cannot be read"),
        ("邮箱,角色\n".encode("gbk"), "no column email"),
        ("email,role\n".encode("utf-16"), "no column email"),
    ],
)
def test_unusable_files(content: bytes, says: str) -> None:
    with pytest.raises(UnusableFile, match=says):
        parse(content)


def test_columns_that_are_not_read_are_named() -> None:
    assert parse(b"email,role,phone\na@b.cn,student,1").unknown_columns == ["phone"]


async def _all(service: Service) -> dict[str, list[Any]]:
    return {
        "users": await rows(
            service,
            "SELECT auth_user_id, email, name, user_id, role, class_id, status FROM counseling.users ORDER BY email",
        ),
        "list": await rows(
            service, "SELECT to_jsonb(w) - 'updated_at' AS w FROM counseling.whitelist_emails AS w ORDER BY email"
        ),
        "visitors": await rows(
            service, "SELECT id, owner_id, template_key FROM counseling.visitor_instances ORDER BY id"
        ),
        "bindings": await rows(service, "SELECT * FROM counseling.assistant_students ORDER BY student_id"),
        "people": await rows(service, "SELECT count(*) AS n FROM auth.users"),
    }


async def test_the_same_file_again_changes_nothing(service: Service) -> None:
    first = await imported(service, CSV, ENROLLED)
    assert (first.added, first.updated, first.instances, first.bindings) == (6, 0, 2, 2)
    assert first.problems == []
    before = await _all(service)
    again = await imported(service, CSV, datetime(2025, 10, 1, tzinfo=UTC), seed=99)
    assert (again.added, again.updated, again.instances, again.bindings) == (0, 6, 0, 0)
    assert await _all(service) == before


async def test_a_seed_gives_the_same_visitors_and_they_stay(service: Service) -> None:
    """W40."""
    csv = "email,role\n" + "".join(f"s{n}@b.cn,student\n" for n in range(20))
    query = (
        "SELECT email, template_key FROM counseling.visitor_instances JOIN counseling.users ON auth_user_id = owner_id"
        " ORDER BY email"
    )
    await imported(service, csv, ENROLLED, seed=7)
    first = await rows(service, query)
    assert len({row["template_key"] for row in first}) > 3
    await imported(service, csv, ENROLLED, seed=8)
    assert await rows(service, query) == first
    await execute(service, "DELETE FROM auth.users")
    await imported(service, csv, ENROLLED, seed=7)
    assert await rows(service, query) == first
    listed = await rows(service, "SELECT assigned_visitor FROM counseling.whitelist_emails ORDER BY email")
    assert [row["assigned_visitor"] for row in listed] == [row["template_key"] for row in first]


async def test_an_assistant_may_come_later_and_be_named_by_number(service: Service) -> None:
    csv = (
        "email,userId,role,assignedTechAsst\n"
        "a@b.cn,1,student,TA@B.cn\nb@b.cn,2,student,77\nc@b.cn,3,student,nobody@b.cn\nd@b.cn,4,student,1\n"
        "ta@b.cn,77,assistant_tech,\n"
    )
    done = await imported(service, csv, ENROLLED)
    assert done.bindings == 2
    assert [wrong.line for wrong in done.problems] == [4, 5]
    # They may log in all the same.
    assert done.added == 5


async def test_changes_are_taken_over(school: School) -> None:
    service = school.service
    changed = CSV.replace("学生一,1001,student,3,ta1@example.edu", "学生壹,1001,student,4,ta2@example.edu")
    done = await imported(
        service,
        changed.replace("助教二,2002,assistant_tech,,,,,,,active", "助教二,2002,assistant_tech,,,,,,,left"),
        ENROLLED,
    )
    assert (done.updated, done.bindings, done.problems) == (6, 1, [])
    [row] = await rows(service, "SELECT name, class_id FROM counseling.users WHERE email = 's1@example.edu'")
    assert row == {"name": "学生壹", "class_id": 4}
    # Whoever is not active any more is out, with the token that he has (G62).
    assert refusal(await school.ta2.client.get("/me")) == (401, "unauthorized")
    assert (await school.ca3.client.get("/assistant-class/students")).json() == {"items": []}


async def test_a_number_that_is_anothers(service: Service) -> None:
    await imported(service, CSV, ENROLLED)
    done = await imported(service, "email,userId,role\nnew@b.cn,1001,student\nold@b.cn,8,student\n", ENROLLED)
    assert done.problems == [Problem(2, "userId 1001 is another person's")]
    assert done.added == 1


class TestCommand:
    """`colloquy import-whitelist` and its neighbours, in processes of their own."""

    def run(self, url: str, data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = os.environ | {"DATABASE_URL": url, "DATA_DIR": str(data), "ENV": "test"}
        command = [sys.executable, "-m", "server.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=100)

    def test_dry_run_import_and_compliance(self, database_url: str, tmp_path: Path) -> None:
        file = tmp_path / "list.csv"
        file.write_text("\ufeff" + CSV + "bad,,,student\n")
        dry = self.run(database_url, tmp_path, "import-whitelist", str(file), "--dry-run")
        assert dry.returncode == 1, dry.stderr
        assert dry.stdout.startswith("Would have: 6 added, 0 updated, 2 visitors made, 2 students bound, 1 lines")
        assert "line 8: email is not an address" in dry.stderr
        real = self.run(database_url, tmp_path, "import-whitelist", str(file), "--seed", "3")
        # Nothing was written before.
        assert real.stdout.startswith("6 added")
        assert real.returncode == 1
        daily = self.run(database_url, tmp_path, "daily-compliance")
        assert daily.returncode == 0, daily.stderr
        assert len(daily.stdout.splitlines()) == 2
        one_week = self.run(database_url, tmp_path, "refresh-compliance", "--week", "2020-01")
        assert one_week.stdout == "2020-01: 0 students\n"
        assert self.run(database_url, tmp_path, "refresh-compliance", "--week", "x").returncode == 2

    def test_what_cannot_be_read(self, database_url: str, tmp_path: Path) -> None:
        file = tmp_path / "list.csv"
        file.write_text("name\nx\n")
        refused = self.run(database_url, tmp_path, "import-whitelist", str(file))
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "no column email" in refused.stderr
        unknown = self.run(database_url, tmp_path, "refinalize", "00000000-0000-4000-8000-000000000000")
        assert unknown.returncode == 1
        assert "There is no session" in unknown.stderr


def test_the_school_is_all_of_the_list() -> None:
    assert {person.email.split("@")[0] for person in parse(CSV.encode()).people} == set(NAMES)
