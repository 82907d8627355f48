"""Logins by phone, rule by rule (T01; A011–A020, G13, K18, K19, K23, W01, W07)."""

import asyncio
import io
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from core import logging
from core.settings import SettingsError
from server.auth import api_keys
from server.auth.codes import MOST_A_DAY, MOST_TRIES
from tests.kit.app import Service, running_service
from tests.kit.cases import together
from tests.kit.people import RecordingSender, SetClock
from tests.server.auth.conftest import ADMIN, GENEROUS

PHONE = "13800000001"
AUTH = "/api/v1/auth"


async def ask(client: httpx.AsyncClient, phone: str = PHONE) -> httpx.Response:
    return await client.post(f"{AUTH}/send-code", json={"phone": phone})


async def enter(client: httpx.AsyncClient, code: str, phone: str = PHONE) -> httpx.Response:
    return await client.post(f"{AUTH}/login", json={"phone": phone, "code": code})


async def logged_in(client: httpx.AsyncClient, sender: RecordingSender, phone: str = PHONE) -> dict[str, Any]:
    assert (await ask(client, phone)).status_code == 200
    response = await enter(client, sender.last_code, phone)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def refusal(response: httpx.Response) -> int:
    """000's error: one sentence under `detail`, nothing else (A010, K03)."""
    assert list(response.json()) == ["detail"]
    assert isinstance(response.json()["detail"], str)
    assert response.json()["detail"]
    return response.status_code


def another(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


class TestHappyPath:
    async def test_from_a_phone_to_a_person(
        self, client: httpx.AsyncClient, sender: RecordingSender, clock: SetClock
    ) -> None:
        sent = await ask(client)
        assert sent.text == f'{{"code":200,"message":"success","data":{{"phone":"{PHONE}"}}}}'
        [(channel, address, code)] = sender.sent
        assert (channel, address) == ("sms", PHONE)
        assert len(code) == 6
        assert code.isdecimal()
        clock.move(seconds=1)
        answer = await enter(client, code)
        assert answer.status_code == 200
        assert list(answer.json()) == ["code", "message", "data"]
        data = answer.json()["data"]
        assert list(data) == ["token", "user_id", "expires_in"]
        assert data["expires_in"] == 604800
        me = await client.get(f"{AUTH}/me", headers=bearer(data["token"]))
        assert me.json()["data"] == {
            "user_id": data["user_id"],
            "phone": PHONE,
            "created_at": "2026-01-30T00:00:01Z",
            "last_login_at": "2026-01-30T00:00:01Z",
        }
        assert list(me.json()["data"]) == ["user_id", "phone", "created_at", "last_login_at"]

    async def test_the_second_login_is_the_same_person(
        self, client: httpx.AsyncClient, sender: RecordingSender, clock: SetClock
    ) -> None:
        first = await logged_in(client, sender)
        clock.move(minutes=2)
        second = await logged_in(client, sender)
        assert second["user_id"] == first["user_id"]
        assert second["token"] != first["token"]
        me = (await client.get(f"{AUTH}/me", headers=bearer(first["token"]))).json()["data"]
        assert (me["created_at"], me["last_login_at"]) == ("2026-01-30T00:00:00Z", "2026-01-30T00:02:00Z")

    async def test_the_token_opens_the_other_families_too(
        self, client: httpx.AsyncClient, sender: RecordingSender
    ) -> None:
        """002 takes either realm (K18), and rows belong to the token's subject."""
        data = await logged_in(client, sender)
        created = await client.post("/api/v1/agents", json={"name": "甲"}, headers=bearer(data["token"]))
        assert created.status_code == 200
        other = await logged_in(client, sender, "13800000002")
        agents = await client.get("/api/v1/agents", headers=bearer(other["token"]))
        assert agents.json()["data"]["agents"] == []


class TestCodes:
    async def test_works_once(self, client: httpx.AsyncClient, sender: RecordingSender) -> None:
        await logged_in(client, sender)
        assert refusal(await enter(client, sender.last_code)) == 400

    async def test_five_at_once_are_one(self, client: httpx.AsyncClient, sender: RecordingSender) -> None:
        await ask(client)
        answers = await asyncio.gather(*(enter(client, sender.last_code) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]

    @pytest.mark.parametrize(("seconds", "status"), [(299.999, 200), (300, 400), (301, 400)])
    async def test_lives_five_minutes(
        self, client: httpx.AsyncClient, sender: RecordingSender, clock: SetClock, seconds: float, status: int
    ) -> None:
        await ask(client)
        clock.move(seconds=seconds)
        assert (await enter(client, sender.last_code)).status_code == status

    @pytest.mark.parametrize(("seconds", "status", "wait"), [(0, 429, 60), (59.2, 429, 1), (60, 200, None)])
    async def test_one_a_minute(
        self, client: httpx.AsyncClient, clock: SetClock, seconds: float, status: int, wait: int | None
    ) -> None:
        await ask(client)
        clock.move(seconds=seconds)
        again = await ask(client)
        assert again.status_code == status
        assert again.headers.get("retry-after") == (str(wait) if wait else None)

    async def test_five_requests_at_once_send_one(self, client: httpx.AsyncClient, sender: RecordingSender) -> None:
        answers = await asyncio.gather(*(ask(client) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 429, 429, 429, 429]
        assert len(sender.sent) == 1

    async def test_a_new_one_makes_the_old_one_void(
        self, client: httpx.AsyncClient, sender: RecordingSender, clock: SetClock
    ) -> None:
        await ask(client)
        old = sender.last_code
        clock.move(seconds=61)
        await ask(client)
        if old != sender.last_code:
            assert refusal(await enter(client, old)) == 400
        assert (await enter(client, sender.last_code)).status_code == 200

    async def test_the_right_one_after_four_wrong_tries(
        self, client: httpx.AsyncClient, sender: RecordingSender
    ) -> None:
        await ask(client)
        for _ in range(MOST_TRIES - 1):
            assert refusal(await enter(client, another(sender.last_code))) == 400
        assert (await enter(client, sender.last_code)).status_code == 200

    async def test_five_wrong_tries_burn_it(self, client: httpx.AsyncClient, sender: RecordingSender) -> None:
        await ask(client)
        for _ in range(MOST_TRIES):
            await enter(client, another(sender.last_code))
        assert refusal(await enter(client, sender.last_code)) == 400

    async def test_tries_at_once_are_all_counted(self, client: httpx.AsyncClient, sender: RecordingSender) -> None:
        await ask(client)
        await asyncio.gather(*(enter(client, another(sender.last_code)) for _ in range(MOST_TRIES)))
        assert refusal(await enter(client, sender.last_code)) == 400

    async def test_the_old_one_stays_void_when_the_new_one_is_burned(
        self, client: httpx.AsyncClient, sender: RecordingSender, clock: SetClock
    ) -> None:
        await ask(client)
        old = sender.last_code
        clock.move(seconds=61)
        await ask(client)
        for _ in range(MOST_TRIES):
            await enter(client, another(sender.last_code))
        assert refusal(await enter(client, old)) == 400

    async def test_ten_a_day(self, client: httpx.AsyncClient, clock: SetClock) -> None:
        """Each has five tries: more codes would be more guesses, and messages that nobody asked for."""
        begun = clock.now()
        for _ in range(MOST_A_DAY):
            assert (await ask(client)).status_code == 200
            clock.move(minutes=10)
        refused = await ask(client)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) == 24 * 3600 - MOST_A_DAY * 600
        assert (await ask(client, "13800000002")).status_code == 200
        clock.time = begun
        clock.move(days=1, seconds=-1)
        assert (await ask(client)).status_code == 429
        clock.move(seconds=1)
        assert (await ask(client)).status_code == 200

    async def test_phones_are_forgotten_after_a_day(
        self, service: Service, client: httpx.AsyncClient, clock: SetClock
    ) -> None:
        await ask(client)
        clock.move(days=1)
        await ask(client, "13800000002")
        async with service.runtime.system.pool.connection() as connection:
            rows = await (await connection.execute("SELECT phone FROM audio.verification_codes")).fetchall()
        assert rows == [{"phone": "13800000002"}]

    async def test_is_another_phones(self, client: httpx.AsyncClient, sender: RecordingSender) -> None:
        await ask(client)
        code = sender.last_code
        await ask(client, "13800000002")
        if code != sender.last_code:
            assert refusal(await enter(client, code, "13800000002")) == 400

    async def test_is_not_kept_in_the_clear(
        self, service: Service, client: httpx.AsyncClient, sender: RecordingSender
    ) -> None:
        await ask(client)
        async with service.runtime.system.pool.connection() as connection:
            rows = await (await connection.execute("SELECT * FROM audio.verification_codes")).fetchall()
        assert len(rows) == 1
        assert sender.last_code not in str(rows)
        assert len(rows[0]["code"]) == 64

    async def test_that_could_not_be_sent_may_be_asked_for_again(
        self, client: httpx.AsyncClient, sender: RecordingSender
    ) -> None:
        sender.broken = True
        assert refusal(await ask(client)) == 502
        sender.broken = False
        assert (await ask(client)).status_code == 200

    async def test_without_one(self, client: httpx.AsyncClient) -> None:
        assert refusal(await enter(client, "123456")) == 400


class TestInput:
    @together(
        "phone",
        ["1380000", "138000000011", "1380000000a", "", "１３８００００００００", "13800000001\n", 13800000001, None],
    )
    async def test_phones(self, client: httpx.AsyncClient, sender: RecordingSender, phone: Any) -> None:
        assert refusal(await client.post(f"{AUTH}/send-code", json={"phone": phone})) == 422
        assert refusal(await client.post(f"{AUTH}/login", json={"phone": phone, "code": "123456"})) == 422
        assert sender.sent == []

    async def test_what_is_wrong_is_told_in_the_users_language(self, client: httpx.AsyncClient) -> None:
        async def told(**body: Any) -> str:
            return str((await client.post(f"{AUTH}/login", json=body)).json()["detail"])

        assert await told(phone="138", code="123456") == "参数错误：phone：应为11位数字"
        assert await told(phone=PHONE, code="1") == "参数错误：code：应为6位数字"
        assert await told(phone=PHONE) == "参数错误：code：缺少此项"
        assert await told(phone=138, code="123456") == "参数错误：phone：应为字符串"

    @pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "١٢٣٤٥٦", 123456, None, "123456\n"])
    async def test_codes(self, client: httpx.AsyncClient, sender: RecordingSender, code: Any) -> None:
        await ask(client)
        for _ in range(MOST_TRIES):
            assert refusal(await client.post(f"{AUTH}/login", json={"phone": PHONE, "code": code})) == 422
        # Refused before any side effect: none of them was a try.
        assert (await enter(client, sender.last_code)).status_code == 200

    @together("content", [b"", b"{", b"[]", b"\xff"])
    async def test_bodies(self, client: httpx.AsyncClient, content: bytes) -> None:
        headers = {"content-type": "application/json"}
        assert refusal(await client.post(f"{AUTH}/send-code", content=content, headers=headers)) == 422


class TestTokens:
    @pytest.mark.parametrize(("seconds", "status"), [(604_799, 200), (604_800, 401), (604_801, 401)])
    async def test_live_seven_days(
        self, client: httpx.AsyncClient, sender: RecordingSender, clock: SetClock, seconds: int, status: int
    ) -> None:
        token = (await logged_in(client, sender))["token"]
        clock.move(seconds=seconds)
        assert (await client.get(f"{AUTH}/me", headers=bearer(token))).status_code == status

    async def test_live_as_long_as_configured(
        self, database_url: str, tmp_path: Path, clock: SetClock, sender: RecordingSender
    ) -> None:
        """A003, and without JWT_SECRET one is made and kept."""
        environ = GENEROUS | {"JWT_EXPIRATION_HOURS": "1"}
        async with running_service(database_url, tmp_path, environ, clock=clock, sender=sender) as service:
            data = await logged_in(service.client, sender)
            assert data["expires_in"] == 3600
        assert ((tmp_path / "jwt-secret").stat().st_mode & 0o777) == 0o600
        async with running_service(database_url, tmp_path, environ, clock=clock, sender=sender) as service:
            assert (await service.client.get(f"{AUTH}/me", headers=bearer(data["token"]))).status_code == 200
            clock.move(hours=1)
            assert (await service.client.get(f"{AUTH}/me", headers=bearer(data["token"]))).status_code == 401

    @together(
        "headers",
        [
            {},
            {"authorization": "Bearer"},
            {"authorization": "Bearer x.y.z"},
            {"authorization": "Basic abc"},
            {"authorization": "Bearer clq_nothing"},
            {"x-api-key": "clq_nothing"},
            {"x-api-key": "é"},
        ],
    )
    async def test_nobody(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        response = await client.get(f"{AUTH}/me", headers=raw)
        assert refusal(response) == 401
        assert response.headers["www-authenticate"] == "Bearer"

    async def test_of_a_person_made_inactive_end_at_once(
        self, service: Service, client: httpx.AsyncClient, sender: RecordingSender, clock: SetClock
    ) -> None:
        data = await logged_in(client, sender)
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE audio.users SET is_active = false")
        assert refusal(await client.get(f"{AUTH}/me", headers=bearer(data["token"]))) == 401
        clock.move(minutes=2)
        await ask(client)
        assert refusal(await enter(client, sender.last_code)) == 403
        # The code is used up all the same.
        assert refusal(await enter(client, sender.last_code)) == 400

    async def test_keys_of_a_person_made_inactive_end_too(
        self, service: Service, client: httpx.AsyncClient, sender: RecordingSender
    ) -> None:
        data = await logged_in(client, sender)
        async with service.runtime.system.transaction() as session:
            key = await api_keys.create(session, "k", UUID(data["user_id"]))
        assert (await client.get("/api/v1/agents", headers={"x-api-key": key})).status_code == 200
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("UPDATE audio.users SET is_active = false")
        assert (await client.get("/api/v1/agents", headers={"x-api-key": key})).status_code == 401

    async def test_a_damaged_secret_is_not_used(self, database_url: str, tmp_path: Path) -> None:
        (tmp_path / "jwt-secret").write_text("\n")
        with pytest.raises(SettingsError, match="jwt-secret"):
            async with running_service(database_url, tmp_path):
                pass

    async def test_of_a_person_who_is_gone(
        self, service: Service, client: httpx.AsyncClient, sender: RecordingSender
    ) -> None:
        data = await logged_in(client, sender)
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("DELETE FROM auth.users")
        assert refusal(await client.get(f"{AUTH}/me", headers=bearer(data["token"]))) == 401

    async def test_a_token_is_no_key(self, client: httpx.AsyncClient, sender: RecordingSender) -> None:
        token = (await logged_in(client, sender))["token"]
        assert refusal(await client.get(f"{AUTH}/me", headers={"x-api-key": token})) == 401

    async def test_a_machine_has_no_phone(self, service: Service) -> None:
        machine = await service.as_user()
        assert refusal(await machine.get(f"{AUTH}/me")) == 404


class TestAdministrators:
    async def test_are_made_at_login_and_stay(
        self, service: Service, client: httpx.AsyncClient, sender: RecordingSender
    ) -> None:
        admin = await logged_in(client, sender, ADMIN)
        other = await logged_in(client, sender)
        async with service.runtime.system.pool.connection() as connection:
            rows = await (await connection.execute("SELECT id, is_admin FROM auth.users")).fetchall()
        assert {str(row["id"]): row["is_admin"] for row in rows} == {
            admin["user_id"]: True,
            other["user_id"]: False,
        }

    async def test_are_made_when_the_server_starts(
        self, database_url: str, tmp_path: Path, clock: SetClock, sender: RecordingSender
    ) -> None:
        """Who logged in before his phone was listed need not log in again."""
        async with running_service(database_url, tmp_path, GENEROUS, clock=clock, sender=sender) as service:
            await logged_in(service.client, sender)
        environ = GENEROUS | {"ADMIN_PHONES": PHONE}
        async with running_service(database_url, tmp_path, environ, clock=clock, sender=sender) as service:
            async with service.runtime.system.pool.connection() as connection:
                rows = await (await connection.execute("SELECT is_admin FROM auth.users")).fetchall()
            assert rows == [{"is_admin": True}]


class TestEcho:
    @pytest.mark.parametrize(
        ("env", "echo", "shown"),
        [("development", "1", True), ("development", "0", False), ("test", "1", False)],
    )
    async def test_the_code_is_shown_in_development_when_asked_for(
        self, database_url: str, tmp_path: Path, sender: RecordingSender, env: str, echo: str, *, shown: bool
    ) -> None:
        environ = {"ENV": env, "AUTH_ECHO_CODE": echo}
        async with running_service(database_url, tmp_path, environ, sender=sender) as service:
            data = (await ask(service.client)).json()["data"]
        assert data == ({"phone": PHONE, "code": sender.last_code} if shown else {"phone": PHONE})


async def test_no_code_token_phone_or_key_is_ever_logged(
    service: Service, client: httpx.AsyncClient, sender: RecordingSender, clock: SetClock, log: io.StringIO
) -> None:
    token = (await logged_in(client, sender))["token"]
    code = sender.last_code
    await enter(client, code)
    sender.broken = True
    clock.move(minutes=2)
    await ask(client)
    await client.get(f"{AUTH}/me", headers=bearer(token))
    await client.get(f"{AUTH}/me", headers=bearer(token[:-2]))
    machine = await service.as_user()
    await machine.get("/api/v1/agents")
    await asyncio.to_thread(logging.flush)
    written = log.getvalue()
    assert "logged_in" in written
    for secret in (code, token, PHONE, "x" * 32, machine.headers["authorization"].removeprefix("Bearer ")):
        assert secret not in written
