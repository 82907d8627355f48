"""The busiest routes take the caller's key along to the statement that acts; one that counts no more does nothing."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from server.auth import keys
from server.auth.principal import Principal
from tests.kit.app import Service
from tests.server.runs.protocol.conftest import NOBODY, Person, refusal

RUN: dict[str, Any] = {"assistant_id": "steps", "input": {}}


async def count(service: Service, table: str) -> int:
    async with service.runtime.system.pool.connection() as connection:
        cursor = await connection.execute(f"SELECT count(*) AS found FROM platform.{table}".encode())
        row = await cursor.fetchone()
    return int(row["found"]) if row else 0


async def revoke(service: Service) -> None:
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute("UPDATE auth.api_keys SET revoked_at = now()")


async def test_a_known_key_costs_no_statement(me: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = (await me.sdk.threads.create())["thread_id"]

    async def ask(_self: keys.Keys, _digest: bytes) -> Principal | None:
        raise AssertionError("the key was asked about")

    monkeypatch.setattr(keys.Keys, "get", ask)
    await me.sdk.threads.create()
    assert (await me.sdk.runs.wait(thread, "steps", input={}))["steps"] == ["first", "slow", "last"]


async def test_a_revoked_key_does_nothing(service: Service, me: Person) -> None:
    thread = (await me.sdk.threads.create())["thread_id"]
    await me.sdk.runs.wait(thread, "steps", input={})
    await revoke(service)
    paths = [f"/threads/{thread}/runs", "/runs"]
    asked: Sequence[tuple[str, Any]] = [
        ("/threads", {}),
        ("/threads", {"thread_id": thread, "if_exists": "do_nothing"}),
        *((path + tail, RUN) for path in paths for tail in ("", "/stream", "/wait")),
        # Nor does it learn what is wrong with a request, or what is there.
        ("/threads", {"unknown": 1}),
        ("/runs/wait", {**RUN, "assistant_id": "unknown"}),
        (f"/threads/{thread}/runs/wait", {**RUN, "checkpoint_id": NOBODY}),
        (f"/threads/{NOBODY}/runs/wait", RUN),
    ]
    before = await count(service, "threads"), await count(service, "runs")
    for path, body in asked:
        response = await me.http.post(path, json=body)
        assert refusal(response)[0] == 401, (path, body)
        assert response.headers["www-authenticate"] == "Bearer"
    assert (await count(service, "threads"), await count(service, "runs")) == before


async def test_a_key_is_not_its_owners_for_good(service: Service, me: Person, other: Person) -> None:
    """Whoever's it has become: the one whom this process remembers gets nothing made."""
    thread = (await me.sdk.threads.create())["thread_id"]
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute("UPDATE auth.api_keys SET user_id = %s", (other.id,))
    response: httpx.Response = await me.http.post(f"/threads/{thread}/runs/wait", json=RUN)
    assert refusal(response)[0] == 401
    assert await count(service, "runs") == 0
