"""A school: two students in two classes with an assistant each, a class's assistant, an administrator; a set clock."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg.rows import DictRow

from server.counseling import importing, whitelist
from server.counseling.importing import Imported
from tests.kit.app import Service, running_service
from tests.kit.model_server import ModelServer
from tests.kit.people import RecordingSender, SetClock

CSV = """\
email,name,userId,role,classId,assignedTechAsst,assignedClassAsst,assignedVisitor,inchargeVisitor,studentCount,status
s1@example.edu,学生一,1001,student,3,ta1@example.edu,ca3@example.edu,1,,,active
s2@example.edu,学生二,1002,student,4,ta2@example.edu,,2,,,active
ta1@example.edu,助教一,2001,assistant_tech,,,,,"[""1"",""5""]",,active
ta2@example.edu,助教二,2002,assistant_tech,,,,,,,active
ca3@example.edu,行政三,3003,assistant_class,3,,,,,1,active
ad@example.edu,管理员,9001,admin,,,,,,,active
"""
NAMES = ("s1", "s2", "ta1", "ta2", "ca3", "ad")
# Tuesday of week 2025-39, 10:00 in Beijing.
TUESDAY = datetime(2025, 9, 23, 2, tzinfo=UTC)
ENROLLED = datetime(2025, 9, 1, tzinfo=UTC)
ENVIRON = {
    "RATE_LIMIT_CODES": "10000/minute",
    "RATE_LIMIT_LOGINS": "10000/minute",
    "JWT_EXPIRATION_HOURS": "100000",
    "JWT_SECRET": "x" * 32,
}
DIARY = "<diary>今天第一次说出了怕被看见的事。</diary>"
ACTIVITY = '<activity>{"summary":"这周去了一次食堂。","mood":"有点紧张"}</activity>'
SLOTS = ("thisweek_focus", "discussed_topics", "milestones", "recurring_patterns", "core_belief_evolution")
LTM = "<longterm_memory>" + "".join(f"<{slot}>{slot}：说过</{slot}>" for slot in SLOTS) + "</longterm_memory>"
ASSIGNMENT = "请记录一周的自动化思维（场景、想法、情绪、证据、反证）"


@dataclass
class Person:
    """Somebody with a login; `instance` is a student's visitor."""

    email: str
    id: str
    client: httpx.AsyncClient
    instance: str = ""

    async def start(self, instance: str | None = None, **more: Any) -> httpx.Response:
        body = {"visitorInstanceId": instance or self.instance, "auto": True} | more
        return await self.client.post("/sessions/start", json=body)

    async def session(self) -> str:
        response = await self.start()
        assert response.status_code == 200, response.text
        return str(response.json()["sessionId"])

    async def say(self, session: str, content: str = "我今天有点紧张", speaker: str = "user") -> httpx.Response:
        body = {"speaker": speaker, "content": content}
        return await self.client.post(f"/sessions/{session}/messages", json=body)

    async def finalize(self, session: str, assignment: str = ASSIGNMENT, **headers: str) -> httpx.Response:
        body = {"assignment": assignment}
        return await self.client.post(f"/sessions/{session}/finalize", json=body, headers=headers)

    async def hand_in(self, session: str) -> httpx.Response:
        body = {"sessionId": session, "triggeringEvent": "上课", "thoughtsAndBeliefs": "会出丑", "consequences": "躲开"}
        return await self.client.post("/thought-records", json=body)


@dataclass
class School:
    """Everybody, by name; `nobody` has no login."""

    service: Service
    clock: SetClock
    nobody: httpx.AsyncClient
    people: dict[str, Person]

    def __getattr__(self, name: str) -> Person:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None


@pytest.fixture
def clock() -> SetClock:
    return SetClock(TUESDAY)


@pytest.fixture
def sender() -> RecordingSender:
    return RecordingSender()


@pytest.fixture
def settings() -> dict[str, str]:
    """What a test changes, by `pytest.mark.parametrize`."""
    return {}


@pytest.fixture
async def service(
    database_url: str,
    tmp_path: Path,
    clock: SetClock,
    sender: RecordingSender,
    models: ModelServer,
    settings: dict[str, str],
) -> AsyncIterator[Service]:
    environ = models.environment(provider="openai", roles=["diary", "activity", "ltm", "reply"]) | ENVIRON | settings
    models.script("diary", DIARY)
    models.script("activity", ACTIVITY)
    models.script("ltm", LTM)
    models.script("reply", "嗯……我不太想说这个。")
    async with running_service(database_url, tmp_path, environ, clock=clock, sender=sender) as service:
        yield service


@pytest.fixture
async def school(service: Service, sender: RecordingSender, clock: SetClock) -> School:
    await imported(service, CSV, ENROLLED)
    people = {name: await login(service, sender, f"{name}@example.edu") for name in NAMES}
    return School(service, clock, service.client, people)


async def imported(service: Service, csv: str | bytes, at: datetime, seed: int | None = 1) -> Imported:
    listed = whitelist.parse(csv.encode() if isinstance(csv, str) else csv)
    async with service.runtime.system.transaction() as session:
        return await importing.write(session, listed, at, seed)


async def login(service: Service, sender: RecordingSender, email: str) -> Person:
    assert (await service.client.post("/auth/request-code", json={"email": email})).json() == {"ok": True}
    body = {"email": email, "code": sender.last_code}
    response = await service.client.post("/auth/verify-code", json=body)
    assert response.status_code == 200, response.text
    client = client_of(service, response.json()["token"])
    me = (await client.get("/me")).json()
    return Person(email, me["userId"], client, next(iter(me.get("visitorInstanceIds", [])), ""))


def client_of(service: Service, token: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=service.client._transport, base_url="http://test", headers=headers)


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Check the family's error shape to the last key; give the status and the code."""
    body = response.json()
    kinds = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict"}
    assert list(body) == ["error", "code", "message"], body
    assert body["error"] == kinds.get(response.status_code, body["error"])
    assert body["message"]
    return response.status_code, body["code"]


async def rows(service: Service, query: str, *values: Any) -> list[DictRow]:
    """Read with the system role's eyes."""
    async with service.runtime.system.pool.connection() as connection:
        return await (await connection.execute(query.encode(), values)).fetchall()


async def execute(service: Service, statement: str, *values: Any) -> None:
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute(statement.encode(), values)


def unknown() -> str:
    return str(uuid4())


def is_uuid(text: str) -> bool:
    return str(UUID(text)) == text
