"""`interpret.tools` mirrors what servers offer, and switches tools off (G19)."""

import asyncio

import psycopg
import pytest

from db.database import Database
from server.interpret.tool_mirror import SwitchedOff, ToolMirror
from tests.kit.app import Service
from tests.server.interpret.conftest import GatedHub, rows

ALL = "SELECT name, description, input_schema, server, enabled, updated_at FROM interpret.tools ORDER BY name"


@pytest.fixture
def mirror(service: Service, hub: GatedHub) -> ToolMirror:
    return ToolMirror(hub, service.runtime.system.pool)


async def switch(service: Service, name: str, *, enabled: bool) -> None:
    async with service.runtime.system.pool.connection() as connection:
        await connection.execute("UPDATE interpret.tools SET enabled = %s WHERE name = %s", (enabled, name))


class TestMirror:
    async def test_what_is_offered_is_written(self, service: Service, hub: GatedHub, mirror: ToolMirror) -> None:
        assert await mirror.tools() == await hub.tools()
        written = await rows(service, ALL)
        assert [row["name"] for row in written] == sorted(tool.name for tool in await hub.tools())
        add = written[0]
        assert (add["description"], add["server"], add["enabled"]) == ("add things", "fake", True)
        assert add["input_schema"]["required"] == ["a", "b"]

    async def test_only_what_has_changed_is_written_again(
        self, service: Service, hub: GatedHub, mirror: ToolMirror
    ) -> None:
        await mirror.tools()
        await switch(service, "append", enabled=False)
        before = {row["name"]: row for row in await rows(service, ALL)}
        hub.change("add", description="better")
        hub.remove("wipe")
        await mirror.tools()
        after = {row["name"]: row for row in await rows(service, ALL)}
        assert after["add"]["description"] == "better"
        assert after["add"]["updated_at"] > before["add"]["updated_at"]
        assert after["append"] == before["append"]
        # Its server may only be down, and what the operator said of it stays.
        assert after["wipe"] == before["wipe"]

    async def test_nothing_new_is_no_statement(self, service: Service, hub: GatedHub, mirror: ToolMirror) -> None:
        await mirror.tools()
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("DELETE FROM interpret.tools")
        await mirror.tools()
        assert await rows(service, ALL) == []

    async def test_many_processes_may_write_at_once(self, service: Service, hub: GatedHub) -> None:
        mirrors = [ToolMirror(hub, service.runtime.system.pool) for _ in range(8)]
        await asyncio.gather(*(mirror.tools() for mirror in mirrors))
        assert len(await rows(service, ALL)) == len(await hub.tools())

    async def test_people_go_on_without_it(self, hub: GatedHub) -> None:
        gone = Database("postgresql://nobody@127.0.0.1:1/nothing")
        await gone.pool.open(wait=False)
        gone.pool.timeout = 0.2
        try:
            assert await ToolMirror(hub, gone.pool).tools() == await hub.tools()
        finally:
            await gone.close()


class TestSwitchedOff:
    async def test_names_are_read_now_and_then(self, service: Service, mirror: ToolMirror) -> None:
        await mirror.tools()
        switched_off = SwitchedOff(service.runtime.system.pool, seconds=0.2)
        assert await switched_off() == frozenset()
        await switch(service, "add", enabled=False)
        assert await switched_off() == frozenset()
        await asyncio.sleep(0.25)
        assert await switched_off() == {"add"}
        await switch(service, "add", enabled=True)
        await asyncio.sleep(0.25)
        assert await switched_off() == frozenset()

    async def test_an_unknown_answer_lets_nothing_pass(self) -> None:
        gone = Database("postgresql://nobody@127.0.0.1:1/nothing")
        await gone.pool.open(wait=False)
        gone.pool.timeout = 0.2
        try:
            with pytest.raises(psycopg.OperationalError):
                await SwitchedOff(gone.pool)()
        finally:
            await gone.close()
