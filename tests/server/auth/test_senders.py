"""The gateway that takes login codes, and its faults, at the wire; the terminal; and no gateway at all (G13)."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from server.auth.senders import CodeNotSent, ConsoleSender, GatewaySender, NoSender, sender_for
from tests.kit.app import running_service


class Gateway:
    """A local HTTP server: answers `status` to whatever is posted, and keeps it."""

    def __init__(self) -> None:
        self.status = 200
        self.seconds = 0.0
        self.pause = 0.0
        self.received: list[tuple[str | None, dict[str, Any]]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                gateway.received.append((self.headers["authorization"], body))
                time.sleep(gateway.seconds)
                if gateway.status == 0:
                    self.connection.close()
                    return
                self.send_response(gateway.status)
                self.send_header("location", "http://127.0.0.1:1/elsewhere")
                with suppress(ConnectionError):
                    for number in range(20 if gateway.pause else 0):
                        self.send_header(f"x-{number}", "y")
                        self.flush_headers()
                        time.sleep(gateway.pause)
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/codes"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


async def test_what_the_gateway_gets(gateway: Gateway) -> None:
    sender = GatewaySender(gateway.url, "token")
    await sender.send("sms", "13800000001", "012345")
    await sender.aclose()
    body = {"channel": "sms", "to": "13800000001", "code": "012345", "expires_in": 300}
    assert gateway.received == [("Bearer token", body)]


@pytest.mark.parametrize("status", [302, 400, 401, 429, 500, 0])
async def test_what_it_does_not_take_is_not_sent(gateway: Gateway, status: int) -> None:
    gateway.status = status
    sender = GatewaySender(gateway.url, None)
    with pytest.raises(CodeNotSent):
        await sender.send("sms", "13800000001", "012345")
    await sender.aclose()
    # Once: whether it went out is not known, and a second message costs.
    assert len(gateway.received) == 1


async def test_a_gateway_that_hangs_or_is_not_there(gateway: Gateway) -> None:
    gateway.seconds = 2
    slow = GatewaySender(gateway.url, None, seconds=0.2)
    dead = GatewaySender("http://127.0.0.1:9/", None)
    for sender in (slow, dead):
        with pytest.raises(CodeNotSent):
            await sender.send("email", "a@example.com", "012345")
        await sender.aclose()


async def test_a_gateway_that_trickles_has_no_longer(gateway: Gateway) -> None:
    """Each piece comes in time, the answer does not."""
    gateway.pause = 0.1
    sender = GatewaySender(gateway.url, None, seconds=0.5)
    with pytest.raises(CodeNotSent):
        await sender.send("sms", "13800000001", "012345")
    await sender.aclose()


async def test_the_terminal_in_development(capsys: pytest.CaptureFixture[str]) -> None:
    await ConsoleSender().send("sms", "13800000001", "012345")
    assert "012345" in capsys.readouterr().out


async def test_production_without_a_gateway_says_so(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(CodeNotSent):
        await NoSender().send("sms", "13800000001", "012345")
    async with running_service(database_url, tmp_path, {"ENV": "production"}) as service:
        response = await service.client.post("/api/v1/auth/send-code", json={"phone": "13800000001"})
    assert (response.status_code, response.json()) == (502, {"detail": "验证码发送失败，请稍后重试"})


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, ConsoleSender),
        ({"ENV": "production"}, NoSender),
        ({"ENV": "production", "CODE_GATEWAY_URL": "https://x.example"}, GatewaySender),
        ({"CODE_GATEWAY_URL": "https://x.example", "CODE_GATEWAY_TOKEN": "t"}, GatewaySender),
    ],
)
async def test_which_sender(environ: dict[str, str], kind: type) -> None:
    sender = sender_for(Settings.load(environ, dotenv=None))
    assert type(sender) is kind
    await sender.aclose()
