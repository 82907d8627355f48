"""A class in the last hour of Friday, and the compliance report of a school.

    python -m bench.counseling [--students 500] [--seconds 20] [--messages 200] [--finalizes 50]

Models are a stand-in in this process that answers after a second; the server is the application over ASGI on an
embedded PostgreSQL, so a request's time has no network in it. Messages come at a fixed rate whatever became of the
ones before, for some seconds; finalizes at their rate a minute. At the end it is counted: nothing lost, no gap.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from langchain_core.language_models import BaseChatModel

from core import logging
from core.roles import Role
from providers.models import MODEL_KEY, ROLE_KEY, Models
from server.auth.principal import Principal
from server.counseling import importing, staff_repository, weeks, whitelist
from server.database import migrate
from tests.kit.app import Service, running_service
from tests.kit.database import create, running_server
from tests.kit.directories import crossable
from tests.kit.fake_models import Script, ScriptedModel
from tests.kit.people import SetClock
from tests.server.counseling.conftest import ACTIVITY, DIARY, ENROLLED, LTM

# Friday of week 2025-39, 23:00 in Beijing.
FRIDAY = datetime(2025, 9, 26, 15, tzinfo=UTC)
ANSWERS = {"diary": DIARY, "activity": ACTIVITY, "ltm": LTM}
MODEL_SECONDS = 1.0


class DelayedModel(ScriptedModel):
    """Answers after a fixed delay."""

    def __init__(self, *script: Script, **limits: Any) -> None:
        super().__init__(*script, **limits)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(MODEL_SECONDS)
        return await super()._agenerate(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(MODEL_SECONDS)
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


class DelayedModels(Models):
    """One delayed model for each role."""

    async def chat(self, role: Role) -> BaseChatModel:
        metadata = {ROLE_KEY: role, MODEL_KEY: "bench"}
        return DelayedModel(ANSWERS.get(role, "嗯。"), chunk=200, metadata=metadata)


@dataclass
class Student:
    client: httpx.AsyncClient
    instance: str
    session: str = ""
    said: int = 0


def slow_down(service: Service) -> None:
    """Put scripted answers in place of the offline model's rules."""
    models = DelayedModels(service.runtime.settings)
    object.__setattr__(service.runtime, "models", models)
    executor = service.runtime.engine.executor
    assert executor is not None
    object.__setattr__(executor._parts, "models", models)  # noqa: SLF001 - nothing else may change them


async def enrol(service: Service, count: int) -> list[Student]:
    lines = "".join(f"s{n}@example.edu,student,1,ta@example.edu\n" for n in range(count))
    listed = whitelist.parse(f"email,role,classId,assignedTechAsst\nta@example.edu,assistant_tech,,\n{lines}".encode())
    async with service.runtime.system.transaction() as session:
        await importing.write(session, listed, ENROLLED, 1)
    transport: Any = service.client._transport  # noqa: SLF001 - where the application is
    tokens = transport.app.state.identity.tokens
    async with service.runtime.system.pool.connection() as connection:
        found = await connection.execute("SELECT id::text, owner_id FROM counseling.visitor_instances ORDER BY id")
        owners = await found.fetchall()

    def student(row: dict[str, Any]) -> Student:
        token = tokens.issue(Principal(row["owner_id"], is_admin=False, realm="email")).text
        headers = {"authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers, timeout=300)
        return Student(client, row["id"])

    return [student(row) for row in owners]


async def timed(call: Awaitable[httpx.Response], into: list[float]) -> httpx.Response:
    began = time.perf_counter()
    response = await call
    into.append(time.perf_counter() - began)
    assert response.status_code == 200, response.text
    return response


async def start(student: Student, into: list[float]) -> None:
    response = await timed(student.client.post("/sessions/start", json={"visitorInstanceId": student.instance}), into)
    student.session = response.json()["sessionId"]


async def say(student: Student, into: list[float]) -> None:
    student.said += 1
    body = {"speaker": "user" if student.said % 2 else "ai", "content": "我最近总是睡不好，脑子里停不下来。"}
    await timed(student.client.post(f"/sessions/{student.session}/messages", json=body), into)


async def finalize(student: Student, into: list[float]) -> None:
    body = {"assignment": "记录一周的自动化思维"}
    await timed(student.client.post(f"/sessions/{student.session}/finalize", json=body), into)


async def at_a_rate(
    do: Callable[[Student, list[float]], Coroutine[Any, Any, None]],
    students: Iterator[Student],
    a_second: float,
    seconds: float,
) -> list[float]:
    """Begin so many a second, late or not, and wait for all."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(int(a_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / a_second - loop.time()))
            group.create_task(do(next(students), times))
    return times


def shown(name: str, times: list[float]) -> None:
    ordered = sorted(value * 1000 for value in times)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(f"{name:34} p50 {statistics.median(ordered):8.1f} ms   p95 {p95:8.1f} ms   ({len(ordered)})")


async def friday(service: Service, arguments: argparse.Namespace) -> None:
    students = await enrol(service, arguments.students)
    starts: list[float] = []
    for group in (students[first : first + 50] for first in range(0, len(students), 50)):
        await asyncio.gather(*(start(one, starts) for one in group))
    shown("start, 50 at a time", starts)
    shown(
        f"messages, {arguments.messages} a second",
        await at_a_rate(say, itertools.cycle(students), arguments.messages, arguments.seconds),
    )
    ending = [one for one in students if one.said]
    number = min(len(ending), int(arguments.finalizes / 60 * arguments.seconds))
    finalizing = at_a_rate(finalize, iter(ending), arguments.finalizes / 60, arguments.seconds)
    talking = at_a_rate(say, itertools.cycle(ending[number:]), arguments.messages / 2, arguments.seconds)
    finalized, said = await asyncio.gather(finalizing, talking)
    shown(f"finalize, {arguments.finalizes} a minute, 3 calls of 1 s", finalized)
    shown(f"messages meanwhile, {arguments.messages // 2} a second", said)
    await check(service, students, len(finalized))


async def check(service: Service, students: list[Student], finalized: int) -> None:
    async with service.runtime.system.pool.connection() as connection:
        found = await connection.execute(
            "SELECT id::text, session_number AS number, jsonb_array_length(chat_history) AS lines,"
            " finalized_at IS NOT NULL AS is_final FROM counseling.sessions"
        )
        sessions = {row["id"]: row for row in await found.fetchall()}
    lost = sum(one.said - sessions[one.session]["lines"] for one in students)
    done = sum(row["is_final"] for row in sessions.values())
    gaps = sum(row["number"] != 1 for row in sessions.values())
    print(f"messages lost {lost}, numbers wrong {gaps}, finalized {done} of {finalized}")


async def report(service: Service, count: int) -> None:
    """The whole school's report: each of `count` students with a session, a thought record and feedback."""
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute(_SCHOOL.encode(), (count,))
        await connection.execute("ANALYZE counseling.users, counseling.sessions, counseling.thought_records")
    for attempt in ("first", "again"):
        began = time.perf_counter()
        async with service.runtime.system.transaction() as session:
            written = await staff_repository.write_compliance(session, weeks.parse("2025-39"), FRIDAY)
        print(f"compliance of {written} students, {attempt:5}  {(time.perf_counter() - began) * 1000:8.1f} ms")


_SCHOOL = """
WITH u AS (
  INSERT INTO auth.users (id) SELECT gen_random_uuid() FROM generate_series(1, %s) RETURNING id
), p AS (
  INSERT INTO counseling.users (auth_user_id, email, class_id, created_at)
  SELECT id, id || '@school.edu', (row_number() OVER ()) %% 20, '2025-09-01' FROM u RETURNING auth_user_id
), v AS (
  INSERT INTO counseling.visitor_instances (owner_id, template_key) SELECT id, '1' FROM u RETURNING id, owner_id
), s AS (
  INSERT INTO counseling.sessions (visitor_instance_id, student_id, session_number, created_at, finalized_at)
  SELECT id, owner_id, n, '2025-09-24'::timestamptz - (n - 1) * interval '7 days', '2025-09-24 01:00'
  FROM v, generate_series(1, 4) AS n RETURNING id, student_id, created_at
)
INSERT INTO counseling.thought_records (session_id, student_id, triggering_event, thoughts_and_beliefs, consequences,
  created_at) SELECT id, student_id, 'a', 'b', 'c', created_at + interval '1 day' FROM s
"""


async def main(arguments: argparse.Namespace) -> None:
    logging.configure("error", "json")
    with crossable() as path, running_server(path / "pg") as server, tempfile.TemporaryDirectory() as data:
        url = await asyncio.to_thread(create, server, "bench")
        await migrate(url)
        async with running_service(url, Path(data), {"JWT_SECRET": "x" * 32}, clock=SetClock(FRIDAY)) as service:
            slow_down(service)
            await friday(service, arguments)
            await report(service, arguments.school)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--finalizes", type=int, default=50)
    parser.add_argument("--school", type=int, default=10_000)
    asyncio.run(main(parser.parse_args()))
