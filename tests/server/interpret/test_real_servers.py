"""Interpret and execute with a real tool server over stdio (scenarios T06 and T07, G19, G20)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest

from tests.graphs.interpret_setting import ADD_2_3, act, step
from tests.kit.app import Service, running_service
from tests.kit.model_server import ModelServer
from tests.kit.tool_servers import FaultServer
from tests.server.interpret.conftest import API, Person, message, person, rows

WRITE = act(step("s1", "append_line", {"text": "一行"}), text="写下“一行”，确认吗？")
LINE = ("append_line", {"text": "一行"})
Started = AbstractAsyncContextManager[Service]


@pytest.fixture
def faults(tmp_path: Path) -> FaultServer:
    return FaultServer(tmp_path / "faults")


@pytest.fixture
def settings(faults: FaultServer) -> dict[str, str]:
    return {"MCP_SERVERS": json.dumps({"mcpServers": {"faults": faults.config()}}), "MCP_TIMEOUT_MS": "20000"}


def started(url: str, tmp_path: Path, models: ModelServer, settings: dict[str, str]) -> Started:
    return running_service(url, tmp_path, models.environment(provider="openai", roles=["interpret"]) | settings)


@pytest.fixture
async def service(
    database_url: str, tmp_path: Path, models: ModelServer, settings: dict[str, str]
) -> AsyncIterator[Service]:
    async with started(database_url, tmp_path, models, settings) as service:
        yield service


async def offered(me: Person, name: str) -> None:
    """Wait until the server offers a tool: a busy machine takes its time to start one."""
    async with asyncio.timeout(60):
        while name not in await names(me):
            await asyncio.sleep(0.05)


@pytest.fixture
async def me(service: Service) -> Person:
    me = await person(service)
    await offered(me, "add")
    return me


async def names(me: Person) -> list[str]:
    return [tool["name"] for tool in (await me.client.get(f"{API}/tools")).json()["data"]]


async def test_interpret_then_execute(service: Service, me: Person, models: ModelServer, faults: FaultServer) -> None:
    """T06."""
    [add] = [tool for tool in (await me.client.get(f"{API}/tools")).json()["data"] if tool["name"] == "add"]
    assert list(add) == ["name", "description", "inputSchema", "server"]
    assert set(add["inputSchema"]["properties"]) == {"a", "b"}
    assert (add["description"], add["server"]) == ("Add two numbers.", "faults")
    models.script("interpret", ADD_2_3)
    response = await me.interpret("把二和三加起来")
    assert response.text == (
        '{"type":"confirm","action":"add","params":{"a":2,"b":3},"confirmText":"计算 2 + 3，确认吗？"}'
    )
    assert await rows(service, "SELECT status FROM interpret.sessions") == [{"status": "awaiting_confirm"}]
    assert await me.logs() == [("interpret", "success", "计算 2 + 3，确认吗？")]
    assert (await me.execute()).json() == {"success": True, "data": {"result": 5}}
    assert "execute" in [name for name, _status, _message in await me.logs()]


async def test_an_offer_outlives_a_restart_and_is_done_once(
    database_url: str, tmp_path: Path, models: ModelServer, settings: dict[str, str], faults: FaultServer
) -> None:
    """T07, the restart being another application on the same database."""
    models.script("interpret", WRITE)
    async with started(database_url, tmp_path, models, settings) as before:
        me = await person(before)
        await offered(me, "append_line")
        assert (await me.interpret("写一行", session="s2")).json()["action"] == "append_line"
    async with started(database_url, tmp_path, models, settings) as after:
        me = Person(_elsewhere(me, after), me.id)
        assert (await me.execute(*LINE, session="s2")).status_code == 200
        assert models.calls("interpret") == 1
        assert faults.lines() == ["一行"]
        assert message(await me.execute(*LINE, session="s2"))[:2] == (409, "EXEC_FAIL")
        for count in (2, 3):
            await me.interpret("再写一行", session="s2")
            answers = await asyncio.gather(*(me.execute(*LINE, session="s2") for _ in range(2)))
            assert sorted(answer.status_code for answer in answers) == [200, 409]
            assert faults.lines() == ["一行"] * count


async def test_of_two_processes_one_executes(
    database_url: str, tmp_path: Path, models: ModelServer, settings: dict[str, str], faults: FaultServer
) -> None:
    models.script("interpret", WRITE)
    async with (
        started(database_url, tmp_path, models, settings) as first,
        started(database_url, tmp_path, models, settings) as second,
    ):
        me = await person(first)
        await offered(me, "append_line")
        other = Person(_elsewhere(me, second), me.id)
        for count in (1, 2, 3):
            await me.interpret("写一行")
            answers = await asyncio.gather(me.execute(*LINE), other.execute(*LINE), other.confirm(decision="approve"))
            assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
            assert faults.lines() == ["一行"] * count


def _elsewhere(me: Person, service: Service) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=service.client._transport, base_url="http://test", headers=me.client.headers)


async def test_a_tool_that_asks(me: Person, models: ModelServer, faults: FaultServer) -> None:
    models.script("interpret", act(step("s1", "order", {"dish": "面"})))
    await me.interpret("点一份面")
    pending = (await me.execute("order", {"dish": "面"})).json()["data"]["pending"]
    assert (pending["action"], pending["params"]) == ("order", {})
    assert pending["schema"]["properties"]["size"]["maximum"] == 10
    assert message(await me.execute("order", {"size": 11}))[:2] == (400, "EXEC_FAIL")
    assert (await me.execute("order", {"size": 2})).status_code == 200
    assert faults.lines() == ["2 面"]


async def test_a_tool_that_fails_shows_no_words_of_its_own_in_the_error(me: Person, models: ModelServer) -> None:
    models.script("interpret", act(step("s1", "fail", {})))
    await me.interpret("试试")
    assert message(await me.execute("fail", {})) == (200, "EXEC_FAIL", "调用失败")


async def test_a_server_that_dies_in_a_call(me: Person, models: ModelServer, faults: FaultServer) -> None:
    """What it may have done is not done again; the next call finds it alive."""
    models.script("interpret", act(step("s1", "die_after_write", {"text": "once"})))
    await me.interpret("写")
    assert message(await me.execute("die_after_write", {"text": "once"}))[:2] == (502, "EXEC_FAIL")
    assert faults.lines() == ["once"]
    await offered(me, "append_line")
    models.script("interpret", WRITE)
    await me.interpret("写一行")
    assert (await me.execute(*LINE)).status_code == 200


async def test_a_tool_that_changes_between_offer_and_execution(me: Person, models: ModelServer) -> None:
    models.script("interpret", act(step("s1", "changing", {"first": "x"})), act(step("s1", "change_schema", {})))
    await me.interpret("变", session="s1")
    await me.interpret("改", session="s2")
    assert (await me.execute("change_schema", {}, session="s2")).status_code == 200
    await offered(me, "added_later")
    assert message(await me.execute("changing", {"first": "x"})) == (409, "EXEC_FAIL", "工具已变化，请重新确认")
    assert message(await me.execute("changing", {"first": "x"}))[:2] == (400, "EXEC_FAIL")
    answer = await me.execute("changing", {"first": "x", "second": 3})
    assert answer.json()["data"] == {"result": "xxx"}


async def test_a_tool_that_is_switched_off(service: Service, me: Person, models: ModelServer) -> None:
    models.script("interpret", ADD_2_3)
    await me.interpret()
    assert "add" in await names(me)
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute("UPDATE interpret.tools SET enabled = false WHERE name = 'add'")
    while "add" in await names(me):
        await asyncio.sleep(0.1)
    assert message(await me.execute()) == (400, "EXEC_FAIL", "没有这个工具")
    assert (await me.interpret(session="s2")).json()["type"] == "clarify"
