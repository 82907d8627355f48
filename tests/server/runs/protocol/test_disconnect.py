"""A client that goes away: its run goes on, unless it asked for something else."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from sse_starlette.sse import AppStatus

from server.runs.protocol import streaming
from tests.kit.app import Service
from tests.kit.listening import listening
from tests.server.runs.conftest import until
from tests.server.runs.protocol.conftest import Person


@pytest.fixture
async def wire(service: Service, me: Person) -> AsyncIterator[httpx.AsyncClient]:
    """A client over a real connection."""
    async with (
        listening(service) as address,
        httpx.AsyncClient(base_url=address, headers=me.http.headers, timeout=20) as client,
    ):
        yield client


async def leave(wire: httpx.AsyncClient, method: str, path: str, body: Any = None, **params: Any) -> str:
    """Begin a request, go away as soon as its answer begins, and give the run's path."""
    async with wire.stream(method, path, json=body, params=params) as response:
        assert response.status_code == 200
        return response.headers["location"].rpartition("/")[0]


async def status_of(me: Person, run: str) -> str:
    return str((await me.http.get(run)).json()["status"])


@pytest.mark.parametrize("tail", ["stream", "wait"])
@pytest.mark.parametrize(("asked", "ends"), [("cancel", "interrupted"), ("continue", "success"), (None, "success")])
async def test_a_new_run(me: Person, wire: httpx.AsyncClient, tail: str, asked: str | None, ends: str) -> None:
    thread = (await me.sdk.threads.create())["thread_id"]
    body = {"assistant_id": "steps", "input": {"seconds": 2}, "on_disconnect": asked}
    run = await leave(wire, "POST", f"/threads/{thread}/runs/{tail}", body)

    async def ended() -> bool:
        return await status_of(me, run) == ends

    await until(ended)


@pytest.mark.parametrize("tail", ["stream", "join"])
@pytest.mark.parametrize(("asked", "ends"), [("true", "interrupted"), ("false", "success")])
async def test_a_joined_run(me: Person, wire: httpx.AsyncClient, tail: str, asked: str, ends: str) -> None:
    thread = (await me.sdk.threads.create())["thread_id"]
    created = await me.sdk.runs.create(thread, "steps", input={"seconds": 2})
    path = f"/threads/{thread}/runs/{created['run_id']}"
    await leave(wire, "GET", f"{path}/{tail}", cancel_on_disconnect=asked)

    async def ended() -> bool:
        return await status_of(me, path) == ends

    await until(ended)


async def test_a_stateless_run_that_nobody_waits_for(me: Person, wire: httpx.AsyncClient) -> None:
    """Its answer can still be fetched where the interrupted one pointed to."""
    run = await leave(wire, "POST", "/runs/wait", {"assistant_id": "steps", "input": {"seconds": 0.5}})
    assert (await me.http.get(f"{run}/join")).json()["steps"] == ["first", "slow", "last"]


@pytest.mark.parametrize(("tail", "heartbeat"), [("stream", b": heartbeat\n\n"), ("wait", b"\n")])
async def test_heartbeats(
    me: Person, wire: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tail: str, heartbeat: bytes
) -> None:
    monkeypatch.setattr(streaming, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(streaming, "_HEARTBEAT_SECONDS", 0.2)
    body = {"assistant_id": "steps", "input": {"seconds": 1}}
    response = await wire.post(f"/runs/{tail}", json=body)
    assert response.content.count(heartbeat) >= 3
    if tail == "wait":
        assert json.loads(response.content)["steps"] == ["first", "slow", "last"]


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[None]]:
    """Cuts off all answers that are under way, as a server does that stops, and serves again."""

    async def cut_off() -> None:
        monkeypatch.setattr(streaming, "_LOOK_SECONDS", 0.05)
        await asyncio.sleep(1.2)
        monkeypatch.setattr(AppStatus, "should_exit", True)
        await asyncio.sleep(0.3)
        monkeypatch.setattr(AppStatus, "should_exit", False)

    return cut_off


async def test_the_sdk_takes_a_stream_up_again(me: Person, wire: httpx.AsyncClient, cut: Any) -> None:
    thread = (await me.sdk.threads.create())["thread_id"]
    runs = LangGraphClient(wire).runs
    cutting = asyncio.create_task(cut())
    parts = [part async for part in runs.stream(thread, "steps", input={"seconds": 3}, stream_mode="updates")]
    await cutting
    assert [part.event for part in parts] == ["metadata", "updates", "updates", "updates"]
    assert len({part.id for part in parts}) == len(parts)


async def test_the_sdk_takes_a_wait_up_again(me: Person, wire: httpx.AsyncClient, cut: Any) -> None:
    cutting = asyncio.create_task(cut())
    with pytest.warns(UserWarning, match="attempting reconnect"):
        values = await LangGraphClient(wire).runs.wait(None, "steps", input={"seconds": 3})
    await cutting
    assert values == {"seconds": 3, "steps": ["first", "slow", "last"]}


@pytest.mark.parametrize("tail", ["stream", "join"])
async def test_a_server_that_stops_cuts_its_answers_off(
    me: Person, wire: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tail: str
) -> None:
    """The client takes them up again at another process; this one has to drain."""
    thread = (await me.sdk.threads.create())["thread_id"]
    created = await me.sdk.runs.create(thread, "steps", input={"seconds": 30})
    stream = asyncio.create_task(wire.get(f"/threads/{thread}/runs/{created['run_id']}/{tail}"))
    await asyncio.sleep(0.3)
    monkeypatch.setattr(AppStatus, "should_exit", True)
    async with asyncio.timeout(3):
        with pytest.raises(httpx.RemoteProtocolError):
            await stream
    assert (await me.sdk.runs.get(thread, created["run_id"]))["status"] == "running"
    await me.sdk.runs.cancel(thread, created["run_id"], wait=True)
