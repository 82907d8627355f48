"""The whitelist as a CSV file: its rows, and what is wrong with which line (E076, E080, E081, G64, W38). Pure."""

import csv
import json
import re
from dataclasses import dataclass, field
from typing import Final, cast, get_args

from server.counseling.scopes import Role

TEMPLATES: Final = tuple(str(number) for number in range(1, 11))
COLUMNS: Final = (
    *("email", "name", "userId", "role", "classId", "assignedTechAsst", "assignedClassAsst"),
    *("assignedVisitor", "inchargeVisitor", "studentCount", "status"),
)
# In place of userId where there is none (E080).
STUDENT_NO: Final = "studentNo"
ACTIVE: Final = "active"

_INVISIBLE: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_EMAIL: Final = re.compile(r"[^@\s,;<>\"'()\x00-\x1f\x7f]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")
_STATUS: Final = re.compile(r"[a-z_]{1,32}")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LONGEST: Final = 200
_LONGEST_EMAIL: Final = 254
_MAX_INT4: Final = 2**31 - 1


class UnusableFile(Exception):
    """No line of the file can be read; the message says why."""


@dataclass(frozen=True)
class Listed:
    """A person of the list."""

    line: int
    email: str
    name: str
    user_id: str | None
    role: Role
    class_id: int | None
    assigned_tech_asst: str | None
    assigned_class_asst: str | None
    assigned_visitor: str | None
    incharge_visitor: list[str] | None
    student_count: int | None
    status: str


@dataclass(frozen=True)
class Problem:
    """What is wrong with a line (counted from 1, the header)."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"


@dataclass
class Whitelist:
    """The good rows, in order; the problems of the others; the columns that are not ours."""

    people: list[Listed] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unknown_columns: list[str] = field(default_factory=list)


class _Bad(Exception):
    """A cell breaks a rule."""


def clean_email(text: str) -> str:
    """Return an address as it is kept: trimmed, in lower case, without characters that nobody sees."""
    return _INVISIBLE.sub("", text).strip().lower()


def is_email(text: str) -> bool:
    """Tell whether a cleaned text looks like an address."""
    return len(text) <= _LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None


def parse(content: bytes) -> Whitelist:
    """Read a file: UTF-8, with or without a byte order mark, any line ends, quoted cells.

    Raises:
        UnusableFile: it has no header, or the header lacks a column that every row needs.
    """
    # What is not UTF-8 spoils its own line only.
    text = content.decode("utf-8-sig", errors="surrogateescape")
    lines = [(number, line) for number, line in enumerate(_LINE_END.split(text), start=1) if line.strip(" \t,")]
    if not lines:
        raise UnusableFile("the file is empty")
    try:
        header = _cells(lines[0][1])
    except _Bad as bad:
        raise UnusableFile(f"the header cannot be read: {bad}") from None
    names = {_INVISIBLE.sub("", name).strip().lower(): place for place, name in enumerate(header)}
    for needed in ("email", "role"):
        if needed not in names:
            raise UnusableFile(f"the header has no column {needed}; the columns are {', '.join(COLUMNS)}")
    if len(names) < len(header):
        raise UnusableFile("the header names a column twice")
    ours = {name.lower() for name in (*COLUMNS, STUDENT_NO)}
    found = Whitelist(unknown_columns=[name for name in names if name not in ours])
    _read_all(lines[1:], names, found)
    return found


def _cells(line: str) -> list[str]:
    # A line at a time: a quote that is not closed must not swallow the rows below it.
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        raise _Bad("its quotes do not match") from None


def _read_all(lines: list[tuple[int, str]], names: dict[str, int], found: Whitelist) -> None:
    emails: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for line, text in lines:
        try:
            person = _person(line, _cells(text), names)
            _only_once("email", person.email, line, emails)
            if person.user_id is not None:
                _only_once("userId", person.user_id, line, numbers)
        except _Bad as bad:
            found.problems.append(Problem(line, str(bad)))
        else:
            found.people.append(person)


def _only_once(column: str, value: str, line: int, seen: dict[str, int]) -> None:
    if value in seen:
        raise _Bad(f"{column} is that of line {seen[value]}")
    seen[value] = line


def _person(line: int, row: list[str], names: dict[str, int]) -> Listed:
    if len(row) > len(names) and any(cell.strip() for cell in row[len(names) :]):
        raise _Bad(f"{len(row)} cells under {len(names)} columns")
    cells = {name: row[place] if place < len(row) else "" for name, place in names.items()}
    for name, cell in cells.items():
        if "\0" in cell or _SURROGATE.search(cell):
            raise _Bad(f"{name} is not UTF-8 text")
        if len(cell) > _LONGEST:
            raise _Bad(f"{name} is longer than {_LONGEST} characters")

    def text(name: str) -> str | None:
        return _INVISIBLE.sub("", cells.get(name.lower(), "")).strip() or None

    email = clean_email(cells["email"])
    if not is_email(email):
        raise _Bad("email is not an address" if email else "email is missing")
    tech = text("assignedTechAsst")
    return Listed(
        line=line,
        email=email,
        name=text("name") or "",
        user_id=text("userId") or text(STUDENT_NO),
        role=_role(text("role")),
        class_id=_integer("classId", text("classId")),
        assigned_tech_asst=tech.lower() if tech and "@" in tech else tech,
        assigned_class_asst=text("assignedClassAsst"),
        assigned_visitor=_template("assignedVisitor", text("assignedVisitor")),
        incharge_visitor=_templates(text("inchargeVisitor")),
        student_count=_integer("studentCount", text("studentCount")),
        status=_status(text("status")),
    )


def _role(value: str | None) -> Role:
    if value is None or value.lower() not in get_args(Role):
        raise _Bad(f"role must be one of {', '.join(get_args(Role))}")
    return cast("Role", value.lower())


def _integer(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and int(value) <= _MAX_INT4):
        raise _Bad(f"{name} is not an integer")
    return int(value)


def _template(name: str, value: str | None) -> str | None:
    if value is not None and value not in TEMPLATES:
        raise _Bad(f"{name} must be one of 1 to {len(TEMPLATES)}")
    return value


def _templates(value: str | None) -> list[str] | None:
    if value is None:
        return None
    try:
        listed = json.loads(value)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list) or not all(type(one) in (str, int) for one in listed):
        raise _Bad('inchargeVisitor is not a JSON list such as ["1","5"]')
    return [_template("inchargeVisitor", str(one)) or "" for one in listed]


def _status(value: str | None) -> str:
    status = (value or ACTIVE).lower()
    if not _STATUS.fullmatch(status):
        raise _Bad("status must be a word such as active or inactive")
    return status
