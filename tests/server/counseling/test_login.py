"""Logins by e-mail (E048–E052, G62, K18, K23): the same answer for everybody, a token for whom the list names."""

import asyncio
from typing import Any

import httpx
import pytest

from server.auth.codes import MOST_A_DAY, MOST_TRIES
from tests.kit.app import Service, running_service
from tests.kit.cases import together
from tests.kit.people import RecordingSender, SetClock
from tests.server.counseling.conftest import (
    CSV,
    ENROLLED,
    ENVIRON,
    School,
    client_of,
    execute,
    imported,
    login,
    refusal,
    rows,
)

EMAIL = "s1@example.edu"


async def ask(service: Service, email: str = EMAIL) -> httpx.Response:
    return await service.client.post("/auth/request-code", json={"email": email})


async def enter(service: Service, code: str, email: str = EMAIL) -> httpx.Response:
    return await service.client.post("/auth/verify-code", json={"email": email, "code": code})


@pytest.fixture
async def listed(service: Service) -> Service:
    await imported(service, CSV, ENROLLED)
    return service


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


async def test_a_login(listed: Service, sender: RecordingSender) -> None:
    asked = await ask(listed, " S1@Example.edu\u200b ")
    assert (asked.status_code, asked.json()) == (200, {"ok": True})
    assert sender.sent[-1][:2] == ("email", EMAIL)
    entered = await enter(listed, sender.last_code)
    assert list(entered.json()) == ["token", "role"]
    assert entered.json()["role"] == "student"
    # Used up.
    assert refusal(await enter(listed, sender.last_code)) == (401, "invalid_code")
    assert (await client_of(listed, entered.json()["token"]).get("/me")).json()["email"] == EMAIL
    [row] = await rows(listed, "SELECT last_login_at FROM counseling.users WHERE email = %s", EMAIL)
    assert row["last_login_at"] is not None


async def test_strangers_are_told_the_same(listed: Service, sender: RecordingSender) -> None:
    await execute(listed, "UPDATE counseling.users SET status = 'left' WHERE email = 's2@example.edu'")
    for email in ("nobody@example.edu", "s2@example.edu"):
        first, second = await ask(listed, email), await ask(listed, email)
        assert (first.status_code, first.json()) == (200, {"ok": True})
        # Known or not, a minute has to go by.
        assert (second.status_code, second.headers["retry-after"]) == (429, "60")
    assert sender.sent == []
    await ask(listed)
    assert (await ask(listed)).status_code == 429
    assert len(sender.sent) == 1


async def test_a_list_that_says_left_is_enough(listed: Service, sender: RecordingSender) -> None:
    await execute(listed, "UPDATE counseling.whitelist_emails SET status = 'left' WHERE email = %s", EMAIL)
    await ask(listed)
    assert sender.sent == []


async def test_who_became_inactive_meanwhile_gets_no_token(listed: Service, sender: RecordingSender) -> None:
    await ask(listed)
    await execute(listed, "UPDATE counseling.users SET status = 'inactive' WHERE email = %s", EMAIL)
    assert refusal(await enter(listed, sender.last_code)) == (401, "invalid_code")


async def test_wrong_tries_burn_a_code(listed: Service, sender: RecordingSender) -> None:
    await ask(listed)
    tries = await asyncio.gather(*(enter(listed, wrong(sender.last_code)) for _ in range(MOST_TRIES)))
    assert [refusal(one) for one in tries] == [(401, "invalid_code")] * MOST_TRIES
    assert refusal(await enter(listed, sender.last_code)) == (401, "invalid_code")


async def test_a_code_is_one_addresss_and_lives_five_minutes(
    listed: Service, sender: RecordingSender, clock: SetClock
) -> None:
    await ask(listed)
    code = sender.last_code
    assert refusal(await enter(listed, code, "s2@example.edu")) == (401, "invalid_code")
    clock.move(minutes=5)
    assert refusal(await enter(listed, code)) == (401, "invalid_code")


async def test_a_days_codes(listed: Service, clock: SetClock) -> None:
    for _ in range(MOST_A_DAY):
        assert (await ask(listed)).status_code == 200
        clock.move(seconds=60)
    assert (await ask(listed)).status_code == 429
    clock.move(days=1)
    assert (await ask(listed)).status_code == 200


async def test_a_gateway_that_is_down_tells_nothing(listed: Service, sender: RecordingSender) -> None:
    sender.broken = True
    assert (await ask(listed)).json() == {"ok": True}
    sender.broken = False
    # The code that was not sent is forgotten: there is no minute to wait.
    assert (await ask(listed)).json() == {"ok": True}
    assert len(sender.sent) == 1


@together(
    "body",
    [{}, {"email": "x"}, {"email": 1}, {"email": EMAIL, "code": "12345"}, {"email": EMAIL, "code": "１２３４５６"}],
)
async def test_bodies_that_break_a_rule(listed: Service, body: dict[str, Any]) -> None:
    assert refusal(await listed.client.post("/auth/verify-code", json=body)) == (400, "invalid_param")


async def test_a_token_says_its_realm_and_role(school: School) -> None:
    import jwt  # noqa: PLC0415 - used here alone

    token = school.ta1.client.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["realm"], claims["role"], claims["sub"]) == ("email", "assistant_tech", school.ta1.id)


async def test_an_email_login_reaches_calls_and_not_audio(school: School) -> None:
    """K18: 001 and 002 take either realm, 000 phones only."""
    assert (await school.s1.client.get("/api/v1/call-records")).status_code == 200
    assert (await school.s1.client.get("/api/v1/auth/me")).status_code == 403


@pytest.mark.parametrize("settings", [{"ADMIN_EMAILS": "Boss@example.edu, s1@example.edu"}])
async def test_administrators_of_the_settings(
    listed: Service, sender: RecordingSender, settings: dict[str, str], database_url: str, tmp_path: Any
) -> None:
    """K23: they need no list to begin with; who is on the list is raised at the next start."""
    boss = await login(listed, sender, "boss@example.edu")
    assert (await boss.client.get("/me")).json()["role"] == "admin"
    assert len((await boss.client.get("/assistant-class/students")).json()["items"]) == 2
    async with running_service(database_url, tmp_path / "two", ENVIRON | settings, sender=sender) as again:
        raised = await login(again, sender, EMAIL)
        assert (await raised.client.get("/me")).json()["role"] == "admin"
