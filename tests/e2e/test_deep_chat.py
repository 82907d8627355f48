"""Deep chat on the real server: what a crash costs a conversation (X010, D043, T16)."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kit.deep_chat import TEXT
from tests.kit.model_faults import SlowTokens
from tests.kit.model_server import ModelServer
from tests.kit.processes import QUICK_BEATS, Program, environment, served
from tests.server.chat.conftest import CHAT, INIT, ROLES, SESSIONS
from tests.server.chat.test_real_graph import WISH, script

SECONDS = 60.0


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with ModelServer() as server:
        script(server)
        yield server


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError("it does not come")


def history(client: httpx.Client, who: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"{SESSIONS}/{who['session_id']}/messages", params=user_of(who)).json()
    return body


def user_of(who: dict[str, str]) -> dict[str, str]:
    return {"user_id": who["user_id"]}


@pytest.mark.timeout(240)
def test_a_crash_in_the_middle_of_an_answer(data_dir: Path, models: ModelServer, tmp_path: Path) -> None:
    models.script("content_generation", SlowTokens(TEXT, 0.05))
    environ = environment(data_dir, **models.environment(provider="openai", roles=ROLES)) | QUICK_BEATS
    with served(environ, tmp_path / "first.log") as first, client_of(first) as client:
        who = user_of(client.get(INIT).json())
        who["session_id"] = client.post("/api/v1/chat/new", json=who).json()["session_id"]
        body = who | {"message": WISH, "mode": "deep"}
        with client.stream("POST", CHAT, json=body, params={"stream": "1"}) as response:
            deltas = (line for line in response.iter_lines() if line == "event: delta")
            # What the steps before have brought is committed within a tenth of a second, here two words.
            assert len(list(islice(deltas, 8))) == 8
            first.kill()
    models.script("content_generation", TEXT)
    with served(environ, tmp_path / "second.log") as second, client_of(second) as client:
        done = until(lambda: (h := history(client, who))["pagination"]["total"] == 2 and h)
        assert TEXT in done["messages"][1]["content"]
        # The step in flight was asked again, and no other.
        assert (models.calls("planning"), models.calls("content_generation")) == (1, 2)
        stream = client.get(f"{SESSIONS}/{who['session_id']}/stream", params=user_of(who)).text
        assert "event: reset" in stream
        assert stream.rstrip().rpartition("event: ")[2].startswith("result")
        answer = client.post(CHAT, json=body | {"mode": "chat", "message": "谢谢"})
        assert answer.status_code == 200


def client_of(server: Program) -> httpx.Client:
    return httpx.Client(base_url=server.address, timeout=60)
