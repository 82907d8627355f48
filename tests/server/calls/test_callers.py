"""The busiest requests see who calls in the statement's own transaction: what counts no more does nothing, at once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from core.clock import SystemClock
from core.ids import RandomIds
from server.auth import keys
from server.auth.principal import Principal, Realm
from server.auth.tokens import Tokens
from tests.kit.app import Service, running_service
from tests.server.calls.conftest import call_body, refusal

RECORDS = "/api/v1/call-records"
SECRET = "x" * 32


async def execute(service: Service, statement: str) -> UUID | None:
    async with service.runtime.system.pool.connection() as connection:
        cursor = await connection.execute(statement.encode())
        row = await cursor.fetchone() if cursor.description else None
    return row["id"] if row else None


async def assert_nothing_is_done(service: Service, client: httpx.AsyncClient, agent: str, call: str) -> None:
    """Each of them is refused, and learns nothing of what is wrong with its request either."""
    before = await execute(service, "SELECT md5(string_agg(c::text, '')) AS id FROM public.call_records AS c")
    asked = [
        client.post(RECORDS, json=call_body(agent)),
        client.post(RECORDS, json={"unknown": 1}),
        client.post(RECORDS, content=b"{", headers={"content-type": "text/plain"}),
        client.get(RECORDS),
        client.get(RECORDS, params={"page": "x"}),
        client.get(RECORDS, params={"start_date": "2025-11-08", "end_date": "2025-11-07"}),
        client.get(f"{RECORDS}/{call}"),
        client.get(f"{RECORDS}/nonsense"),
        client.post(f"{RECORDS}/{call}/messages", json={"role": "user", "content": "x", "timestamp": 1}),
        client.post(f"{RECORDS}/{call}/messages", json={}),
        client.get(f"{RECORDS}/statistics"),
        client.get(f"{RECORDS}/statistics", params={"period": "decade"}),
    ]
    for one in asked:
        response = await one
        assert refusal(response) == (401, "UNAUTHORIZED"), response.request.url
        assert response.headers["www-authenticate"] == "Bearer"
    assert await execute(service, "SELECT md5(string_agg(c::text, '')) AS id FROM public.call_records AS c") == before


class TestKeys:
    async def test_a_known_one_costs_no_statement(
        self, user: httpx.AsyncClient, agent: str, call: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def ask(_self: keys.Keys, _digest: bytes) -> Principal | None:
            raise AssertionError("the key was asked about")

        monkeypatch.setattr(keys.Keys, "get", ask)
        assert (await user.post(RECORDS, json=call_body(agent))).status_code == 200
        assert (await user.get(f"{RECORDS}/{call}")).json()["data"]["id"] == call
        assert (await user.get(RECORDS)).json()["data"]["pagination"]["total"] == 2
        assert (await user.get(f"{RECORDS}/statistics")).status_code == 200
        # The statement has seen it: what is not there is told without a second look.
        assert refusal(await user.get(f"{RECORDS}/{UUID(int=1)}")) == (404, "NOT_FOUND")

    @pytest.mark.parametrize("agents", ["user_id", "NULL"], ids=["own", "shared"])
    async def test_a_revoked_one_does_nothing(
        self, service: Service, user: httpx.AsyncClient, agent: str, call: str, agents: str
    ) -> None:
        await execute(service, f"UPDATE public.agents SET user_id = {agents}")
        await execute(service, "UPDATE auth.api_keys SET revoked_at = now()")
        await assert_nothing_is_done(service, user, agent, call)


class TestTokens:
    @pytest.fixture
    async def service(self, database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
        async with running_service(database_url, tmp_path, {"JWT_SECRET": SECRET}) as service:
            yield service

    @pytest.fixture
    async def user_id(self, service: Service) -> UUID:
        user_id = await execute(service, "INSERT INTO auth.users DEFAULT VALUES RETURNING id")
        assert user_id is not None
        await execute(service, f"INSERT INTO audio.users (auth_user_id, phone) VALUES ('{user_id}', '13900000001')")
        return user_id

    @pytest.fixture
    async def user(self, service: Service, user_id: UUID) -> httpx.AsyncClient:
        return bearer(service, user_id, "phone")

    async def test_a_login_reads_and_writes_its_own(
        self, service: Service, user: httpx.AsyncClient, agent: str, call: str
    ) -> None:
        assert (await user.get(f"{RECORDS}/{call}")).json()["data"]["agent_id"] == agent
        assert (await user.get(RECORDS)).json()["data"]["pagination"]["total"] == 1
        stranger = await service.as_user()
        assert refusal(await stranger.get(f"{RECORDS}/{call}")) == (404, "NOT_FOUND")

    @pytest.mark.parametrize(
        "change", ["UPDATE audio.users SET is_active = false", "DELETE FROM audio.users WHERE phone = '13900000001'"]
    )
    async def test_a_person_made_inactive_or_gone_does_nothing(
        self, service: Service, user: httpx.AsyncClient, agent: str, call: str, change: str
    ) -> None:
        await execute(service, change)
        await assert_nothing_is_done(service, user, agent, call)

    @pytest.mark.parametrize("realm", ["email", "key"])
    async def test_of_another_kind_of_login_is_none(
        self, service: Service, user_id: UUID, agent: str, call: str, realm: Realm
    ) -> None:
        await assert_nothing_is_done(service, bearer(service, user_id, realm), agent, call)

    async def test_forged_ones(self, service: Service, user_id: UUID, agent: str, call: str) -> None:
        await assert_nothing_is_done(service, bearer(service, user_id, "phone", secret="y" * 32), agent, call)


def bearer(service: Service, user_id: UUID, realm: Realm, secret: str = SECRET) -> httpx.AsyncClient:
    tokens = Tokens(secret, timedelta(hours=1), SystemClock(), RandomIds())
    token = tokens.issue(Principal(user_id, is_admin=False, realm=realm)).text
    headers = {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=service.client._transport, base_url="http://test", headers=headers)
