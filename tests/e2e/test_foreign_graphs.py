"""`colloquy serve --config` with somebody else's project, asked with the vendor's SDK, killed, and refused."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.kit.imports import ORDERS
from tests.kit.processes import QUICK_BEATS, ROOT, Program, command, environment, served
from tests.server.runs.conftest import until

OURS = ("--config", str(ROOT / "langgraph.json"))
THEIRS = ("--config", str(ORDERS))


def client_of(running: Program, data_dir: Path) -> LangGraphClient:
    return get_client(url=running.address, api_key=(data_dir / "api-key").read_text())


async def longest_wait_for_ok(running: Program, seconds: float) -> float:
    longest, end = 0.0, time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=running.address) as client:
        while time.monotonic() < end:
            begun = time.monotonic()
            assert (await client.get("/ok")).status_code == 200
            longest = max(longest, time.monotonic() - begun)
            await asyncio.sleep(0.02)
    return longest


async def test_another_project_beside_ours(data_dir: Path, tmp_path: Path, database_url: str) -> None:
    environ = environment(data_dir, DATABASE_URL=database_url)
    with served(environ, tmp_path / "log", *OURS, *THEIRS) as running:
        async with client_of(running, data_dir) as client:
            await assistants(client)
            await orders(client)
            thread = await new(client)
            waits = client.runs.wait(thread, "order", input={"wish": "1 fig", "seconds": 1})
            _, longest = await asyncio.gather(waits, longest_wait_for_ok(running, 1))
            assert longest < 0.1
            thread = await new(client)
            quoted = await client.runs.wait(thread, "quote", input={"pieces": 2})
            assert quoted == {"pieces": 2, "thread": thread}
            greeting: Any = await client.runs.wait(None, "greet", input={"name": "Li"})
            assert greeting == "Hello LI"
            thread = await new(client)
            await client.runs.wait(thread, "greet", input={"name": "Li"})
            state: dict[str, Any] = {**await client.threads.get_state(thread)}
            shown: dict[str, Any] = {**await client.threads.get(thread)}
            assert (state["values"], shown["values"]) == ("Hello LI", "Hello LI")
            newest: dict[str, Any] = {**(await client.threads.get_history(thread))[0]}
            assert newest["values"] == "Hello LI"
    told = running.printed()
    assert "graph_checkpointer_replaced" in told
    assert "python_version" in told
    assert "WORKER_CONCURRENCY" in told


async def assistants(client: LangGraphClient) -> None:
    found = {item["graph_id"]: item for item in await client.assistants.search(limit=100)}
    assert {"call_summary", "order", "approve", "quote", "greet"} <= set(found)
    assert found["quote"]["description"] == "A price for a number of pieces."
    schemas = await client.assistants.get_schemas("order")
    assert set((schemas["input_schema"] or {})["properties"]) >= {"wish", "lines"}
    assert (schemas["context_schema"] or {})["properties"]["discount"]["default"] == 0.0


async def new(client: LangGraphClient) -> str:
    return (await client.threads.create())["thread_id"]


async def orders(client: LangGraphClient) -> None:
    """Their classes come back from the database; the context is the one that the request sends."""
    thread = await new(client)
    stopped: Any = await client.runs.wait(thread, "order", input={"wish": "4 figs"})
    assert stopped["__interrupt__"][0]["value"] == {"lines": 1}
    state = await client.threads.get_state(thread)
    assert state["values"]["lines"] == [{"sku": "figs", "count": 4}]  # type: ignore[call-overload]
    done: Any = await client.runs.wait(thread, "order", command={"resume": True}, context={"discount": 0.5})
    assert done["total"] == 3.0
    assert len(await client.threads.get_history(thread)) > 3


async def test_a_killed_servers_run_goes_on_with_their_classes(
    data_dir: Path, tmp_path: Path, database_url: str
) -> None:
    environ = environment(data_dir, DATABASE_URL=database_url) | QUICK_BEATS
    journal = tmp_path / "journal"
    with served(environ, tmp_path / "first.log", *THEIRS) as first:
        async with client_of(first, data_dir) as client:
            thread = await new(client)
            asked: dict[str, Any] = {"wish": "3 figs", "seconds": 2, "log": str(journal)}
            run = await client.runs.create(thread, "order", input=asked)

            async def waits() -> bool:
                return (await client.threads.get_state(thread))["next"] == ["wait"]

            await until(waits)
            first.kill()
    with served(environ, tmp_path / "second.log", *THEIRS) as second:
        async with client_of(second, data_dir) as client:
            stopped: Any = await client.runs.join(thread, run["run_id"])
            assert stopped["__interrupt__"][0]["value"] == {"lines": 1}
            done: Any = await client.runs.wait(thread, "order", command={"resume": True})
            assert done["total"] == 4.5
            served_here = {item["graph_id"] for item in await client.assistants.search(limit=100)}
            assert served_here == set(json.loads(ORDERS.read_text())["graphs"])
    assert journal.read_text() == "read\n"


@pytest.mark.parametrize("which", ["serve", "worker"])
def test_what_cannot_be_served_stops_the_start(data_dir: Path, tmp_path: Path, which: str) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "search.py").write_text("")
    (tmp_path / "agent.py").write_text("from tools import search\n")
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": {"agent": "./agent.py:graph"}}))
    done = command(which, "--config", str(config), environ=environment(data_dir))
    assert done.returncode == 1
    assert str(tmp_path / "tools") in done.stderr
    assert str(ROOT / "tools" / "__init__.py") in done.stderr
    assert "Traceback" not in done.stderr
    (tmp_path / "agent.py").write_text("def graph():\n    raise ValueError('no key')\n")
    done = command(which, "--config", str(config), environ=environment(data_dir))
    assert done.returncode == 1
    assert "graph agent" in done.stderr
    assert 'agent.py", line 2, in graph' in done.stderr
    assert done.stderr.rstrip().endswith("ValueError: no key")
    assert "asyncio" not in done.stderr
