"""Who may do what: FRONTEND_AUTH off and token, strangers, isolation in the database (K20, G44, D042, D044)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from core.production import refusals
from core.settings import Settings
from db.roles import role_url
from tests.kit.app import Service, running_service
from tests.kit.cases import together
from tests.kit.model_server import ModelServer
from tests.kit.people import SetClock
from tests.server.chat.conftest import (
    CHAT,
    EXPIRED,
    INIT,
    NEW,
    RAW,
    RESUME,
    SESSIONS,
    UPLOAD,
    Person,
    environment,
    refusal,
    somebody,
)

Call = Callable[[httpx.AsyncClient, str, str], Awaitable[httpx.Response]]


def endpoints(session_id: str, user_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Every endpoint of the family that names a session, with a request that its owner may make."""
    who = {"session_id": session_id, "user_id": user_id}
    return [
        ("POST", CHAT, {"json": who | {"message": "你好"}}),
        ("POST", CHAT, {"json": who | {"message": "你好", "mode": "deep"}}),
        ("POST", RAW, {"json": who | {"raw_input": "你好"}}),
        ("POST", RESUME, {"json": who | {"human_decision": "skip"}}),
        ("POST", UPLOAD, {"data": who, "files": {"file": ("a.txt", b"a")}}),
        ("GET", f"{SESSIONS}/{session_id}/messages", {"params": {"user_id": user_id}}),
        ("GET", f"{SESSIONS}/{session_id}/stream", {"params": {"user_id": user_id}}),
    ]


NAMES = ["chat", "deep", "raw", "resume", "upload", "messages", "stream"]


@pytest.mark.parametrize("which", range(len(NAMES)), ids=NAMES)
class TestOff:
    async def test_a_stranger_learns_nothing(
        self, service: Service, person: Person, scripted: ModelServer, which: int
    ) -> None:
        stranger = await somebody(service.client)
        for user_id, session_id in (
            (stranger.user_id, person.session_id),
            ("never seen", person.session_id),
            (person.user_id, str(uuid4())),
            (person.user_id, "nonsense"),
        ):
            method, url, request = endpoints(session_id, user_id)[which]
            response = await service.client.request(method, url, **request)
            assert (response.status_code, response.json()) == (440, EXPIRED)

    async def test_the_owner_may(self, service: Service, person: Person, scripted: ModelServer, which: int) -> None:
        method, url, request = endpoints(person.session_id, person.user_id)[which]
        response = await service.client.request(method, url, **request)
        assert response.status_code in (200, 404, 409)
        assert response.status_code == {"resume": 409, "stream": 404}.get(NAMES[which], 200)

    async def test_a_login_is_not_read(
        self, service: Service, person: Person, scripted: ModelServer, which: int
    ) -> None:
        method, url, request = endpoints(person.session_id, person.user_id)[which]
        headers = {"authorization": "Bearer nonsense"}
        response = await service.client.request(method, url, headers=headers, **request)
        assert response.status_code in (200, 404, 409)


async def test_the_documentation(anonymous: httpx.AsyncClient) -> None:
    paths = (await anonymous.get("/openapi.json")).json()["paths"]
    chat = paths[CHAT]["post"]
    assert {"200", "400", "409", "429", "440", "500", "504"} <= set(chat["responses"])
    assert set(chat["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert {parameter["name"] for parameter in chat["parameters"]} == {"stream", "last-event-id"}
    form = paths[UPLOAD]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", "session_id", "user_id"}
    for path, methods in paths.items():
        if path.startswith(("/api/v1/frontend", "/api/v1/chat", "/api/v1/analyze-deep", "/api/v1/documents")):
            for described in methods.values():
                assert described["summary"], path
                assert "440" in described["responses"], path


async def test_there_is_no_list_without_a_login(person: Person) -> None:
    assert refusal(await person.client.get(SESSIONS, params={"user_id": person.user_id})) == (404, "NOT_FOUND")


async def test_history_without_a_user_is_refused(person: Person) -> None:
    assert refusal(await person.client.get(f"{SESSIONS}/{person.session_id}/messages")) == (400, "INVALID_PARAM")


class TestToken:
    @pytest.fixture
    async def service(
        self, database_url: str, tmp_path: Path, models: ModelServer, clock: SetClock
    ) -> AsyncIterator[Service]:
        environ = environment(models, FRONTEND_AUTH="token")
        async with running_service(database_url, tmp_path, environ, clock=clock) as service:
            yield service

    @pytest.fixture
    async def person(self, user: httpx.AsyncClient) -> Person:
        return await somebody(user)

    @pytest.mark.parametrize("which", range(len(NAMES)), ids=NAMES)
    async def test_anonymous_stranger_owner(
        self,
        anonymous: httpx.AsyncClient,
        stranger: httpx.AsyncClient,
        person: Person,
        scripted: ModelServer,
        which: int,
    ) -> None:
        method, url, request = endpoints(person.session_id, person.user_id)[which]
        refused = await anonymous.request(method, url, **request)
        assert refusal(refused) == (401, "UNAUTHORIZED")
        assert refused.headers["www-authenticate"] == "Bearer"
        foreign = await stranger.request(method, url, **request)
        assert (foreign.status_code, foreign.json()) == (440, EXPIRED)
        allowed = await person.client.request(method, url, **request)
        assert allowed.status_code == {"resume": 409, "stream": 404}.get(NAMES[which], 200)

    @together(("method", "url"), [("GET", INIT), ("POST", NEW), ("GET", SESSIONS)])
    async def test_anonymous_has_no_sessions(self, anonymous: httpx.AsyncClient, method: str, url: str) -> None:
        response = await anonymous.request(method, url, json={"user_id": "x"} if method == "POST" else None)
        assert refusal(response) == (401, "UNAUTHORIZED")

    async def test_the_user_is_the_logins(self, person: Person, scripted: ModelServer) -> None:
        assert not person.user_id.startswith("frontend_user_")
        again = (await person.client.get(INIT)).json()
        assert again["user_id"] == person.user_id
        made = await person.client.post(NEW, json={"user_id": person.user_id})
        assert made.status_code == 200
        assert refusal(await person.client.post(NEW, json={"user_id": "another"})) == (403, "FORBIDDEN")
        body = {"message": "你好", "session_id": person.session_id}
        assert (await person.client.post(CHAT, json=body)).status_code == 200

    async def test_ones_sessions(
        self, person: Person, stranger: httpx.AsyncClient, scripted: ModelServer, clock: SetClock
    ) -> None:
        clock.move(seconds=1)
        newer = (await person.client.post(NEW, json={"user_id": person.user_id})).json()
        clock.move(seconds=1)
        await person.say("给我的第一句话")
        await somebody(stranger)
        body = (await person.client.get(SESSIONS)).json()
        assert list(body) == ["success", "sessions", "pagination"]
        assert [session["session_id"] for session in body["sessions"]] == [person.session_id, newer["session_id"]]
        assert body["sessions"][0] == {
            "session_id": person.session_id,
            "thread_id": person.thread_id,
            "title": "给我的第一句话",
            "created_at": "2026-01-30T00:00:00Z",
            "updated_at": "2026-01-30T00:00:02Z",
            "expires_at": "2026-01-30T01:00:02Z",
        }
        clock.move(seconds=3599)
        assert [s["session_id"] for s in (await person.client.get(SESSIONS)).json()["sessions"]] == [person.session_id]

    async def test_a_frontends_name_does_not_reach_a_logins_sessions(
        self, person: Person, database_url: str, tmp_path: Path, models: ModelServer
    ) -> None:
        async with running_service(database_url, tmp_path / "off", environment(models), clock=SetClock()) as off:
            body = {"message": "你好", "session_id": person.session_id, "user_id": person.user_id}
            assert (await off.client.post(CHAT, json=body)).status_code == 440
            resumed = await off.client.post(RESUME, json={"session_id": person.session_id, "human_decision": "skip"})
            assert resumed.status_code == 440


def test_production_must_say_which() -> None:
    settings = Settings.load({"ENV": "production", "FRONTEND_AUTH": ""}, dotenv=None)
    assert any("FRONTEND_AUTH" in reason for reason in refusals(settings))
    chosen = Settings.load({"ENV": "production", "FRONTEND_AUTH": "token"}, dotenv=None)
    assert not any("FRONTEND_AUTH" in reason for reason in refusals(chosen))


async def test_the_database_keeps_people_apart(
    service: Service, person: Person, scripted: ModelServer, database_url: str
) -> None:
    """With the application's own role, and no WHERE at all."""
    other = await somebody(service.client)
    for someone in (person, other):
        await someone.say("你好")
        await someone.upload("a.txt", b"a")
    tables = ("chat.sessions", "chat.messages", "chat.documents", "chat.document_chunks", "chat.users")
    async with await psycopg.AsyncConnection.connect(role_url(database_url, "app"), autocommit=True) as app:
        async with service.runtime.system.pool.connection() as system:
            cursor = await system.execute("SELECT owner_id FROM chat.sessions WHERE id = %s", (person.session_id,))
            row = await cursor.fetchone()
        assert row is not None
        for owner, seen in (("", {0}), (str(row["owner_id"]), {1, 2})):
            await app.execute("SELECT set_config('app.user_id', %s, false)", (owner,))
            for table in tables:
                found = await app.execute(f"SELECT owner_id::text FROM {table}".encode())
                owners = [record[0] for record in await found.fetchall()]
                assert len(owners) in seen, table
                assert set(owners) <= {owner}


@pytest.mark.parametrize(("name", "url"), [("SESSIONS", INIT), ("CHAT", CHAT), ("UPLOADS", UPLOAD)])
async def test_limits_by_address(database_url: str, tmp_path: Path, models: ModelServer, name: str, url: str) -> None:
    environ = environment(models, **{f"RATE_LIMIT_{name}": "2/hour"})
    async with running_service(database_url, tmp_path, environ) as service:
        method = "GET" if url == INIT else "POST"
        answers = [await service.client.request(method, url) for _ in range(3)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert refusal(answers[2]) == (429, "RATE_LIMITED")
    assert int(answers[2].headers["retry-after"]) > 0
