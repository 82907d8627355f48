"""Limits by client address (G70, X035): counted, told with Retry-After, not evaded, and not in the way of others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from limits.errors import StorageError

from core.errors import TooManyRequests
from core.settings import Settings, SettingsError
from server.limits import RateLimits
from tests.kit.app import Service, running_service
from tests.kit.people import RecordingSender

SEND = "/api/v1/auth/send-code"


@asynccontextmanager
async def service(url: str, tmp_path: Path, **environ: str) -> AsyncIterator[Service]:
    async with running_service(url, tmp_path, environ, sender=RecordingSender()) as running:
        yield running


def from_address(running: Service, address: str, forwarded: str | None = None) -> httpx.AsyncClient:
    app = running.client._transport.app  # type: ignore[attr-defined]
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    transport = httpx.ASGITransport(app=app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


async def statuses(client: httpx.AsyncClient, count: int, first: int = 0) -> list[int]:
    phones = [f"138{number:08}" for number in range(first, first + count)]
    return [(await client.post(SEND, json={"phone": phone})).status_code for phone in phones]


async def test_the_limit_and_when_to_come_again(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path, RATE_LIMIT_CODES="3/hour") as running:
        client = from_address(running, "203.0.113.5")
        assert await statuses(client, 4) == [200, 200, 200, 429]
        refused = await client.post(SEND, json={"phone": "13900000000"})
        assert list(refused.json()) == ["detail"]
        assert 3590 <= int(refused.headers["retry-after"]) <= 3600
        # Codes and logins are counted apart, and so are addresses.
        login = await client.post("/api/v1/auth/login", json={"phone": "13900000000", "code": "000000"})
        assert login.status_code == 400
        assert await statuses(from_address(running, "203.0.113.6"), 1, 10) == [200]


async def test_logins_are_limited_too(database_url: str, tmp_path: Path) -> None:
    """Five tries burn a code; this bounds who tries many phones."""
    async with service(database_url, tmp_path, RATE_LIMIT_LOGINS="2/minute") as running:
        client = from_address(running, "203.0.113.5")
        body = {"phone": "13900000000", "code": "000000"}
        tried = [(await client.post("/api/v1/auth/login", json=body)).status_code for _ in range(3)]
    assert tried == [400, 400, 429]


async def test_a_forged_header_is_believed_from_proxies_only(database_url: str, tmp_path: Path) -> None:
    limit = {"RATE_LIMIT_CODES": "1/hour", "TRUSTED_PROXIES": "10.0.0.1"}
    async with service(database_url, tmp_path, **limit) as running:
        direct = [from_address(running, "203.0.113.5", f"198.51.100.{n}") for n in range(2)]
        assert [(await statuses(client, 1, n))[0] for n, client in enumerate(direct)] == [200, 429]
        proxied = [from_address(running, "10.0.0.1", f"198.51.100.{n}") for n in range(2)]
        assert [(await statuses(client, 1, 5 + n))[0] for n, client in enumerate(proxied)] == [200, 200]


async def test_an_ipv6_network_is_one_client() -> None:
    limits = RateLimits(Settings.load({"RATE_LIMIT_CODES": "1/hour"}, dotenv=None))
    await limits.hit("codes", "2001:db8::1")
    with pytest.raises(TooManyRequests):
        await limits.hit("codes", "2001:db8::ffff:2")
    await limits.hit("codes", "2001:db8:0:1::1")
    await limits.hit("codes", "192.0.2.1")
    with pytest.raises(TooManyRequests):
        await limits.hit("codes", "::ffff:192.0.2.1")
    await limits.hit("codes", "no address")


async def test_several_rates_hold_together() -> None:
    limits = RateLimits(Settings.load({"RATE_LIMIT_CODES": "5/minute, 2/hour"}, dotenv=None))
    for _ in range(2):
        await limits.hit("codes", "192.0.2.1")
    with pytest.raises(TooManyRequests) as refused:
        await limits.hit("codes", "192.0.2.1")
    assert (refused.value.retry_after or 0) > 3500


async def test_a_storage_that_is_down_lets_requests_through(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = RateLimits(Settings.load({"RATE_LIMIT_CODES": "1/hour"}, dotenv=None))

    async def down(*_: object) -> bool:
        raise StorageError(ConnectionError("down"))

    monkeypatch.setattr(limits._limiter, "hit", down)
    for _ in range(3):
        await limits.hit("codes", "192.0.2.1")


@pytest.mark.parametrize("url", ["memory://", "nonsense", "async+redis://:hidden@h", "async+x://:hidden@h"])
def test_storages_that_cannot_be_used(url: str) -> None:
    with pytest.raises(SettingsError, match="RATE_LIMIT_STORAGE_URL") as refused:
        RateLimits(Settings.load({"RATE_LIMIT_STORAGE_URL": url}, dotenv=None))
    assert "hidden" not in str(refused.value)


def test_a_rate_that_is_none() -> None:
    with pytest.raises(SettingsError, match="RATE_LIMIT_CODES"):
        Settings.load({"RATE_LIMIT_CODES": "often"}, dotenv=None)
