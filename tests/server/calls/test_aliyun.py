"""Alibaba's configuration and tokens over HTTP: scenario T13, and every rule of G30 and G31."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from core.errors import Conflict
from core.keyring import Keyring, new_key
from core.settings import Settings
from providers.aliyun import nls
from server import operators
from server.calls import aliyun_tokens
from tests.kit.aliyun import Aliyun, Fault, running_aliyun
from tests.kit.app import Service, running_service
from tests.kit.cases import together
from tests.kit.people import SetClock
from tests.kit.waiting import until
from tests.server.calls.conftest import refusal

CONFIG = "/api/v1/aliyun/config"
TOKEN = "/api/v1/aliyun/token"
BODY = {"access_key_id": "LTAI1", "access_key_secret": "s3cr3t", "app_key": "k"}
KEY = new_key()
HOUR = 3600
NOT_WORDS: list[Any] = ["", "x" * 256, "a b", "a\n", " a", "\u0000", None, 1, []]


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 1, 30, tzinfo=UTC))


@pytest.fixture
def aliyun(clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aliyun]:
    monkeypatch.setattr(nls.NlsTokens.__init__, "__kwdefaults__", {"pauses": (0.01, 0.01)})
    with running_aliyun(clock) as aliyun:
        aliyun.secrets = {"LTAI1": "s3cr3t", "LTAI2": "other"}
        yield aliyun


@pytest.fixture
def environ(aliyun: Aliyun) -> dict[str, str]:
    return {"ALIYUN_NLS_ENDPOINT": aliyun.url, "SECRETS_KEY": KEY}


@pytest.fixture
async def service(
    database_url: str, tmp_path: Path, clock: SetClock, environ: dict[str, str]
) -> AsyncIterator[Service]:
    async with running_service(database_url, tmp_path, environ, clock=clock) as service:
        yield service


@pytest.fixture
async def configured(user: httpx.AsyncClient) -> httpx.AsyncClient:
    await user.post(CONFIG, json=BODY)
    return user


def rows(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM public.aliyun_configs ORDER BY created_at").fetchall()


async def token(user: httpx.AsyncClient) -> str:
    response = await user.post(TOKEN)
    assert response.status_code == 200, response.text
    return str(response.json()["data"]["token"])


async def fetches(anonymous: httpx.AsyncClient) -> dict[str, float]:
    lines = (await anonymous.get("/metrics")).text
    found = re.findall(r'^colloquy_aliyun_token_fetches_total\{outcome="(\w+)"\} (\S+)$', lines, re.MULTILINE)
    return {outcome: float(count) for outcome, count in found}


async def settled(url: str) -> None:
    """Wait until no fetch is under way."""

    while any(row["fetch_id"] for row in await asyncio.to_thread(rows, url)):
        await asyncio.sleep(0.02)


class TestConfig:
    @together(("method", "path"), [("POST", CONFIG), ("GET", CONFIG), ("POST", TOKEN)])
    async def test_needs_a_valid_key(self, anonymous: httpx.AsyncClient, method: str, path: str) -> None:
        assert refusal(await anonymous.request(method, path, json=BODY)) == (401, "UNAUTHORIZED")

    async def test_save_and_read(self, user: httpx.AsyncClient) -> None:
        saved = await user.post(CONFIG, json=BODY)
        assert (saved.status_code, saved.json()) == (200, {"success": True, "message": "阿里云配置已保存"})
        read = await user.get(CONFIG)
        assert read.json() == {"success": True, "data": {"access_key_id": "LTAI1", "app_key": "k", "is_active": True}}

    async def test_without_one(self, user: httpx.AsyncClient) -> None:
        assert refusal(await user.get(CONFIG)) == (404, "ALIYUN_CONFIG_NOT_FOUND")
        assert refusal(await user.post(TOKEN)) == (404, "ALIYUN_CONFIG_NOT_FOUND")

    async def test_a_stranger_has_none(self, configured: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
        await token(configured)
        assert refusal(await stranger.get(CONFIG)) == (404, "ALIYUN_CONFIG_NOT_FOUND")
        assert refusal(await stranger.post(TOKEN)) == (404, "ALIYUN_CONFIG_NOT_FOUND")
        await stranger.post(CONFIG, json=BODY | {"access_key_id": "LTAI9"})
        assert (await configured.get(CONFIG)).json()["data"]["access_key_id"] == "LTAI1"

    @together("changes", [{name: value} for name in BODY for value in NOT_WORDS] + [{"is_active": False}])
    async def test_bad_bodies_are_refused_and_not_repeated(
        self, user: httpx.AsyncClient, changes: dict[str, Any]
    ) -> None:
        response = await user.post(CONFIG, json=BODY | changes)
        assert refusal(response) == (400, "INVALID_PARAM")
        assert "s3cr3t" not in response.text
        assert refusal(await user.get(CONFIG)) == (404, "ALIYUN_CONFIG_NOT_FOUND")

    async def test_what_is_missing(self, user: httpx.AsyncClient) -> None:
        for name in BODY:
            body = {key: value for key, value in BODY.items() if key != name}
            assert refusal(await user.post(CONFIG, json=body)) == (400, "INVALID_PARAM")

    async def test_replacing_leaves_one_active_row(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, database_url: str
    ) -> None:
        """W17: with the seed's own constraint the second replacement failed."""
        first = await token(configured)
        for _ in range(3):
            assert (await configured.post(CONFIG, json=BODY)).status_code == 200
        kept = await asyncio.to_thread(rows, database_url)
        assert [row["is_active"] for row in kept] == [False, False, False, True]
        assert [row["token"] for row in kept] == [None] * 4
        assert await token(configured) != first
        assert len(aliyun.requests) == 2

    async def test_many_at_once(self, user: httpx.AsyncClient, database_url: str) -> None:
        answers = await asyncio.gather(*(user.post(CONFIG, json=BODY | {"app_key": str(n)}) for n in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        kept = await asyncio.to_thread(rows, database_url)
        assert sorted(row["is_active"] for row in kept) == [False] * 7 + [True]

    def test_the_database_itself_allows_one_active_row(self, database_url: str) -> None:
        insert = "INSERT INTO public.aliyun_configs (user_id, access_key_id, access_key_secret, app_key, is_active)"
        with psycopg.connect(database_url, autocommit=True) as connection:
            [user] = connection.execute("INSERT INTO auth.users DEFAULT VALUES RETURNING id").fetchone() or [None]
            for active in (False, False, True):
                connection.execute(f"{insert} VALUES (%s, 'a', 'b', 'c', %s)".encode(), (user, active))
            with pytest.raises(UniqueViolation):
                connection.execute(f"{insert} VALUES (%s, 'a', 'b', 'c', true)".encode(), (user,))


class TestSecret:
    async def test_it_is_nowhere_in_the_clear(
        self, log: io.StringIO, configured: httpx.AsyncClient, aliyun: Aliyun, database_url: str
    ) -> None:
        await configured.post(CONFIG, json=BODY)
        got = await token(configured)
        aliyun.down = Fault()
        await configured.post(CONFIG, json=BODY)
        await configured.post(TOKEN)
        kept = await asyncio.to_thread(rows, database_url)
        assert len({row["access_key_secret"] for row in kept}) == 3
        assert not any("s3cr3t" in row["access_key_secret"] for row in kept)
        assert "s3cr3t" not in log.getvalue()
        assert got not in log.getvalue()
        assert got not in str(kept)
        # Not in any table, checkpoints included.
        with psycopg.connect(database_url) as connection:
            tables = connection.execute(
                "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
                " WHERE table_type = 'BASE TABLE' AND table_schema !~ '^pg_|information_schema'"
            ).fetchall()
            for (table,) in tables:
                found = connection.execute(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%s3cr3t%'".encode())
                assert found.fetchone() == (0,), table

    async def test_a_row_cannot_take_anothers_secret(
        self, configured: httpx.AsyncClient, stranger: httpx.AsyncClient, database_url: str
    ) -> None:
        await stranger.post(CONFIG, json=BODY)
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "UPDATE public.aliyun_configs SET access_key_secret ="
                " (SELECT access_key_secret FROM public.aliyun_configs ORDER BY created_at LIMIT 1)"
            )
        assert refusal(await stranger.post(TOKEN)) == (409, "ALIYUN_CONFIG_UNREADABLE")
        assert await token(configured)

    async def test_keys_can_change(
        self, database_url: str, tmp_path: Path, clock: SetClock, environ: dict[str, str], configured: httpx.AsyncClient
    ) -> None:
        first = await token(configured)
        new = new_key()
        ring = {"SECRETS_KEY": f"2027:{new},0:{KEY}"}
        headers = dict(configured.headers)
        async with running_service(database_url, tmp_path, environ | ring, clock=clock) as service:
            assert (await service.client.post(TOKEN, headers=headers)).json()["data"]["token"] == first
            clock.move(hours=36)
            await service.client.post(TOKEN, headers=headers)
        [row] = await asyncio.to_thread(rows, database_url)
        assert (row["access_key_secret"][:5], row["token"][:5]) == ("2027:", "2027:")
        # The old one is not needed any more.
        async with running_service(database_url, tmp_path, environ | {"SECRETS_KEY": f"2027:{new}"}, clock=clock) as s:
            clock.move(hours=36)
            assert (await s.client.post(TOKEN, headers=headers)).status_code == 200

    async def test_an_operator_brings_all_under_the_newest_key(
        self,
        database_url: str,
        tmp_path: Path,
        clock: SetClock,
        environ: dict[str, str],
        configured: httpx.AsyncClient,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """`colloquy reencrypt`: then the old key may go, for tokens too, and for configurations that were replaced."""
        await configured.post(CONFIG, json=BODY)
        first = await token(configured)
        new = new_key()
        known = {"ENV": "test", "DATA_DIR": str(tmp_path), "DATABASE_URL": database_url, "CHECKPOINT_KEY": new_key()}
        ring = Settings.load(known | {"SECRETS_KEY": f"2027:{new},0:{KEY}"}, dotenv=None)
        for rewritten in (2, 0):
            await operators.reencrypt(ring)
            told = capsys.readouterr().out.splitlines()
            secrets = f"public.aliyun_configs.access_key_secret: {rewritten} brought under the newest key, 0 unreadable"
            assert told[0] == secrets
            assert len(told) == 5
        async with running_service(database_url, tmp_path, environ | {"SECRETS_KEY": f"2027:{new}"}, clock=clock) as s:
            assert (await s.client.post(TOKEN, headers=configured.headers)).json()["data"]["token"] == first
            clock.move(hours=36)
            assert (await s.client.post(TOKEN, headers=configured.headers)).status_code == 200
        gone = Settings.load(known | {"SECRETS_KEY": f"2028:{new_key()}"}, dotenv=None)
        with pytest.raises(Conflict, match="3 values"):
            await operators.reencrypt(gone)

    async def test_without_its_key_it_has_to_be_saved_anew(
        self, database_url: str, tmp_path: Path, environ: dict[str, str], configured: httpx.AsyncClient
    ) -> None:
        headers = dict(configured.headers)
        async with running_service(database_url, tmp_path, environ | {"SECRETS_KEY": new_key()}) as service:
            assert refusal(await service.client.post(TOKEN, headers=headers)) == (409, "ALIYUN_CONFIG_UNREADABLE")
            assert (await service.client.get(CONFIG, headers=headers)).status_code == 200
            assert (await service.client.post(CONFIG, json=BODY, headers=headers)).status_code == 200

    async def test_a_key_is_made_and_kept(self, database_url: str, tmp_path: Path) -> None:
        for _ in range(2):
            async with running_service(database_url, tmp_path):
                kept = (tmp_path / "secrets-key").read_text()
                Keyring.parse(kept)
        assert (tmp_path / "secrets-key").read_text() == kept
        assert (tmp_path / "secrets-key").stat().st_mode & 0o777 == 0o600


class TestToken:
    async def test_ten_requests_ask_alibaba_once(self, configured: httpx.AsyncClient, aliyun: Aliyun) -> None:
        aliyun.seconds = 0.2
        answers = await asyncio.gather(*(configured.post(TOKEN) for _ in range(5)))
        answers += [await configured.post(TOKEN) for _ in range(5)]
        expires = int(aliyun.clock.now().timestamp()) + aliyun.lifetime
        for answer in answers:
            assert answer.json() == {"success": True, "data": {"token": "token-0", "expires_at": expires}}
        [request] = aliyun.requests
        assert set(request) == {
            *("Action", "Version", "Format", "AccessKeyId", "RegionId", "Timestamp"),
            *("SignatureMethod", "SignatureVersion", "SignatureNonce", "Signature"),
        }

    async def test_several_servers_ask_once(
        self,
        database_url: str,
        tmp_path: Path,
        clock: SetClock,
        environ: dict[str, str],
        configured: httpx.AsyncClient,
        aliyun: Aliyun,
    ) -> None:
        aliyun.seconds = 0.3
        async with running_service(database_url, tmp_path, environ, clock=clock) as other:
            answers = await asyncio.gather(
                *(configured.post(TOKEN) for _ in range(5)),
                *(other.client.post(TOKEN, headers=configured.headers) for _ in range(5)),
            )
            assert {answer.json()["data"]["token"] for answer in answers} == {"token-0"}
            assert len(aliyun.requests) == 1
            # A failure is everybody's, too.
            clock.move(hours=37)
            aliyun.down = Fault(403, '{"Code": "Forbidden"}')
            answers = await asyncio.gather(
                *(configured.post(TOKEN) for _ in range(3)),
                *(other.client.post(TOKEN, headers=configured.headers) for _ in range(3)),
            )
        assert {refusal(answer) for answer in answers} == {(502, "ALIYUN_TOKEN_FAILED")}
        assert len({answer.json()["error"]["message"] for answer in answers}) == 1
        assert len(aliyun.requests) == 2

    async def test_users_do_not_wait_for_each_other(
        self, configured: httpx.AsyncClient, stranger: httpx.AsyncClient, aliyun: Aliyun
    ) -> None:
        await stranger.post(CONFIG, json=BODY | {"access_key_id": "LTAI2", "access_key_secret": "other"})
        assert await token(configured) != await token(stranger)
        assert [request["AccessKeyId"] for request in aliyun.requests] == ["LTAI1", "LTAI2"]

    async def test_the_old_token_is_the_spare(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, clock: SetClock, database_url: str
    ) -> None:
        first = await token(configured)
        clock.move(seconds=aliyun.lifetime - 600)
        aliyun.down = Fault()
        assert await token(configured) == first
        clock.move(seconds=599)
        assert await token(configured) == first
        clock.move(seconds=1)
        assert refusal(await configured.post(TOKEN)) == (502, "ALIYUN_TOKEN_FAILED")
        aliyun.down = None
        assert await token(configured) != first

    async def test_in_the_last_ten_minutes_a_new_one_is_waited_for(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, clock: SetClock
    ) -> None:
        first = await token(configured)
        clock.move(seconds=aliyun.lifetime - 600)
        second = await token(configured)
        assert second != first
        assert [await token(configured) for _ in range(3)] == [second] * 3
        assert len(aliyun.requests) == 2

    async def test_a_slow_alibaba_does_not_hold_up_who_has_a_spare(
        self,
        configured: httpx.AsyncClient,
        aliyun: Aliyun,
        clock: SetClock,
        database_url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(aliyun_tokens, "SPARE_PATIENCE_SECONDS", 0.1)
        first = await token(configured)
        clock.move(seconds=aliyun.lifetime - 300)
        aliyun.seconds = 0.5
        assert [await token(configured), await token(configured)] == [first, first]
        await settled(database_url)
        assert await token(configured) != first
        assert len(aliyun.requests) == 2

    async def test_it_is_refreshed_early_in_the_background(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, clock: SetClock, database_url: str
    ) -> None:
        first = await token(configured)
        # 36 hours: an hour before the last ten minutes.
        clock.move(seconds=aliyun.lifetime - 600 - HOUR - 1)
        await token(configured)
        assert len(aliyun.requests) == 1
        clock.move(seconds=1)
        aliyun.seconds = 0.1
        assert await token(configured) == first
        await until(lambda: len(aliyun.requests) == 2)
        await settled(database_url)
        assert await token(configured) != first
        assert len(aliyun.requests) == 2

    async def test_a_short_lived_token_is_kept_as_well(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, clock: SetClock
    ) -> None:
        aliyun.lifetime = HOUR
        first = await token(configured)
        clock.move(minutes=43)
        assert await token(configured) == first
        assert len(aliyun.requests) == 1

    async def test_passing_faults_are_tried_again(self, configured: httpx.AsyncClient, aliyun: Aliyun) -> None:
        aliyun.faults = [Fault(500), Fault(200, "{")]
        assert await token(configured) == "token-2"

    @pytest.mark.parametrize(
        ("fault", "requests", "word"),
        [
            (Fault(500), 3, "稍后"),
            (Fault(400, '{"Code": "Throttling.User"}'), 1, "频率"),
            (Fault(404, '{"Code": "InvalidAccessKeyId.NotFound", "Message": "LTAI1 s3cr3t"}'), 1, "AccessKey"),
        ],
    )
    async def test_what_the_caller_is_told(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, fault: Fault, requests: int, word: str
    ) -> None:
        aliyun.down = fault
        response = await configured.post(TOKEN)
        assert refusal(response) == (502, "ALIYUN_TOKEN_FAILED")
        assert word in response.json()["error"]["message"]
        assert "s3cr3t" not in response.text
        assert len(aliyun.requests) == requests

    async def test_fetches_are_counted_with_what_became_of_them(
        self, configured: httpx.AsyncClient, anonymous: httpx.AsyncClient, aliyun: Aliyun
    ) -> None:
        """C056: the share of those that succeed can be seen."""
        before = await fetches(anonymous)
        aliyun.faults = [Fault(), Fault()]
        await token(configured)
        await token(configured)
        await configured.post(CONFIG, json=BODY | {"access_key_id": "LTAI9"})
        await configured.post(TOKEN)
        after = await fetches(anonymous)
        # The attempts of a fetch are one, and a kept token is none.
        assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)} == {
            "ok": 1,
            "refused": 1,
        }

    async def test_a_configuration_replaced_meanwhile(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, database_url: str
    ) -> None:
        """The token of the old key is dropped, and the request goes on with the new one."""
        aliyun.seconds = 0.3
        waiting = asyncio.create_task(configured.post(TOKEN))
        await until(lambda: len(aliyun.requests) == 1)
        await configured.post(CONFIG, json=BODY | {"access_key_id": "LTAI2", "access_key_secret": "other"})
        assert (await waiting).json()["data"]["token"] == "token-1"
        assert [request["AccessKeyId"] for request in aliyun.requests] == ["LTAI1", "LTAI2"]

    @pytest.mark.parametrize("ago", [1.0, -0.4])
    async def test_a_server_that_died_while_it_fetched(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, database_url: str, ago: float
    ) -> None:
        """Its claim runs out, and another one fetches."""
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "UPDATE public.aliyun_configs SET fetch_id = %s,"
                " fetch_until = clock_timestamp() - make_interval(secs => %s)",
                (uuid4(), ago),
            )
        assert await token(configured) == "token-0"
        assert len(aliyun.requests) == 1

    async def test_no_transaction_is_open_while_alibaba_is_asked(
        self, configured: httpx.AsyncClient, aliyun: Aliyun, database_url: str
    ) -> None:
        seen: list[int] = []

        def look() -> None:
            with psycopg.connect(database_url) as connection:
                cursor = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
                )
                seen.append((cursor.fetchone() or [1])[0])

        aliyun.before_answer = look
        await token(configured)
        assert seen == [0]
