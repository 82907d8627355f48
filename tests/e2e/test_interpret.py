"""Interpret and execute in the real server, with a real tool server: crashes between steps (T06, T07, X021)."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client

from tests.kit.model_server import ModelServer
from tests.kit.processes import QUICK_BEATS, ROOT, Program, environment, served

FAULTS = ROOT / "tests" / "projects" / "tool_servers" / "faults.py"


def act(tool: str, **arguments: Any) -> str:
    step = {"id": "s1", "tool": tool, "arguments": arguments, "after": []}
    return json.dumps({"kind": "act", "steps": [step], "text": f"{tool}?"})


class House:
    """What stays when a server is killed: its data, the notes of the tool server, the scripted models."""

    def __init__(self, data_dir: Path, logs: Path, models: ModelServer) -> None:
        self.models = models
        self.notes = data_dir / "notes.txt"
        self._key = data_dir / "api-key"
        self._logs = logs
        self._started = 0
        server = {"command": sys.executable, "args": [str(FAULTS)], "env": {"NOTES": str(self.notes)}}
        self.environ = environment(data_dir, MCP_SERVERS=json.dumps({"mcpServers": {"faults": server}}), **QUICK_BEATS)
        self.environ |= models.environment(provider="openai", roles=["interpret"])

    def served(self) -> AbstractContextManager[Program]:
        self._started += 1
        return served(self.environ, self._logs / f"{self._started}.log")

    @contextmanager
    def person(self, running: Program) -> Iterator["Person"]:
        key = self._key.read_text()
        with httpx.Client(base_url=running.address, headers={"x-api-key": key}, timeout=60) as client:
            yield Person(client, key)

    def lines(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


class Person:
    """One user of the service."""

    def __init__(self, client: httpx.Client, key: str) -> None:
        self.client = client
        self.key = key
        self.user = self.client.get("/v1/api/me").json()["data"]["userId"]
        # A busy machine takes its time to start the tool server.
        until(lambda: bool(self.client.get("/v1/api/tools").json()["data"]), 30)

    def say(self, text: str) -> dict[str, Any]:
        body = {"sessionId": "s", "userId": self.user, "text": text}
        return dict(self.client.post("/v1/api/interpret", json=body).json())

    def execute(self, offer: dict[str, Any]) -> httpx.Response:
        body = {"sessionId": "s", "userId": self.user, "action": offer["action"], "params": offer["params"]}
        return self.client.post("/v1/api/execute", json=body)

    def session(self) -> dict[str, Any]:
        return dict(self.client.get("/v1/api/sessions/s").json()["data"])


@pytest.fixture
def house(data_dir: Path, tmp_path: Path) -> Iterator[House]:
    with ModelServer() as models:
        yield House(data_dir, tmp_path, models)


def test_an_offer_outlives_a_crash_and_is_done_once(house: House) -> None:
    house.models.script("interpret", act("append_line", text="早上好"))
    with house.served() as first, house.person(first) as person:
        offer = person.say("记下：早上好")
        assert offer == {
            "type": "confirm",
            "action": "append_line",
            "params": {"text": "早上好"},
            "confirmText": "append_line?",
        }
        first.kill()
    with house.served() as second, house.person(second) as person:
        assert person.execute(offer).json() == {"success": True, "data": {"result": "done"}}
        again = person.execute(offer)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "EXEC_FAIL")
        assert house.lines() == ["早上好"]
        assert house.models.calls("interpret") == 1
        log = person.client.get("/v1/api/sessions/s/logs").json()["data"]["logs"]
        assert [row["step"] for row in log] == ["interpret", "confirm", "execute", "report"]


def test_a_crash_in_a_call_is_told_and_never_repeated_silently(house: House) -> None:
    house.models.script("interpret", act("slow_append", seconds=3, text="once"))
    with house.served() as first, house.person(first) as person:
        offer = person.say("慢慢记下 once")
        waiting = threading.Thread(target=_ignoring_the_end, args=(lambda: person.execute(offer),))
        waiting.start()
        until(lambda: house.lines() == ["once"])
        first.kill()
        waiting.join()
    with house.served() as second, house.person(second) as person:
        until(lambda: person.session()["pending"] is not None, 20)
        told = person.session()["pending"]
        assert told["action"] == "slow_append"
        assert "结果未知" in told["confirmText"]
        assert house.lines() == ["once"]
        # A client that only repeats its request hears of it first; then the person lets it be sent again.
        warned = person.execute(offer)
        assert (warned.status_code, warned.json()["error"]["message"]) == (
            409,
            "上次调用结果未知，请确认是否重新执行",
        )
        assert house.lines() == ["once"]
        assert person.execute(offer).status_code == 200
        assert house.lines() == ["once", "once"]


def test_the_same_graph_through_the_protocol(house: House) -> None:
    house.models.script("interpret", act("add", a=2, b=3))
    with (
        house.served() as running,
        house.person(running) as person,
        get_sync_client(url=running.address, api_key=person.key) as client,
    ):
        thread = client.threads.create()
        values: Any = client.runs.wait(thread["thread_id"], "interpret_execute", input={"text": "把二和三加起来"})
        (waiting,) = values["__interrupt__"]
        assert waiting["value"]["action_requests"][0]["name"] == "add"
        assert waiting["value"]["response_schema"]["required"] == ["decisions"]
        edited = {"type": "edit", "edited_action": {"name": "add", "args": {"a": 2, "b": 40}}}
        answer = {waiting["id"]: {"decisions": [edited]}}
        values = client.runs.wait(thread["thread_id"], "interpret_execute", command={"resume": answer})
        assert values["data"] == {"result": 42}
        assert client.threads.get(thread["thread_id"])["status"] == "idle"
        with pytest.raises(httpx.HTTPStatusError):
            client.runs.wait(thread["thread_id"], "interpret_execute", command={"resume": answer})


def _ignoring_the_end(ask: Callable[[], httpx.Response]) -> None:
    # The server is killed in the middle of it: that is the test.
    with suppress(httpx.TransportError):
        ask()


def until(met: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)
