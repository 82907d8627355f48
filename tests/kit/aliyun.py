"""A local stand-in of Alibaba's CreateToken: it recomputes every signature, and fails as it is told."""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote

from core.clock import Clock, SystemClock

SIGNED = {
    "Action": "CreateToken",
    "Version": "2019-02-28",
    "Format": "JSON",
    "RegionId": "cn-shanghai",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureVersion": "1.0",
}


@dataclass
class Fault:
    """An answer instead of a token: after some seconds, with a status, and a body (None: the connection breaks)."""

    status: int = 500
    body: str | None = '{"Code": "InternalError", "Message": "x"}'
    seconds: float = 0


@dataclass
class Aliyun:
    """What the stand-in knows and saw. `secrets` are the known access keys; `faults` are used up one by one.

    `down` is what every request gets while it is set; `lifetime` is the tokens' in seconds by `clock`.
    """

    url: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    down: Fault | None = None
    lifetime: int = 36 * 3600
    seconds: float = 0
    clock: Clock = field(default_factory=SystemClock)
    requests: list[dict[str, str]] = field(default_factory=list)
    before_answer: Callable[[], None] = field(default=lambda: None)

    def answer(self, raw_query: str) -> tuple[int, str | None]:
        """Take a request's query; give status and body, None to break the connection."""
        given = dict(parse_qsl(raw_query, strict_parsing=True, keep_blank_values=True))
        number = len(self.requests)
        self.requests.append(given)
        time.sleep(self.seconds)
        self.before_answer()
        fault = self.faults.pop(0) if self.faults else self.down
        if fault is not None:
            time.sleep(fault.seconds)
            return fault.status, fault.body
        if refusal := self._refusal(given, raw_query, number):
            return refusal[0], json.dumps({"RequestId": "r", "Code": refusal[1], "Message": "Specified is not right"})
        expires = int(self.clock.now().timestamp()) + self.lifetime
        token = {"Id": f"token-{number}", "ExpireTime": expires, "UserId": "1"}
        return 200, json.dumps({"NlsRequestId": "n", "RequestId": "r", "ErrMsg": "", "Token": token})

    def _refusal(self, given: dict[str, str], raw_query: str, number: int) -> tuple[int, str] | None:
        signature = given.get("Signature")
        signed = {name: value for name, value in given.items() if name != "Signature"}
        if "+" in raw_query or any(signed.get(name) != value for name, value in SIGNED.items()):
            return 400, "InvalidParameter"
        if not self._is_timely(given.get("Timestamp", "")):
            return 400, "InvalidTimeStamp.Format"
        if given["SignatureNonce"] in {earlier["SignatureNonce"] for earlier in self.requests[:number]}:
            return 400, "SignatureNonceUsed"
        if given["AccessKeyId"] not in self.secrets:
            return 404, "InvalidAccessKeyId.NotFound"
        if signature != expected_signature(signed, self.secrets[given["AccessKeyId"]]):
            return 400, "SignatureDoesNotMatch"
        return None

    def _is_timely(self, stamp: str) -> bool:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp):
            return False
        moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return abs((moment - self.clock.now()).total_seconds()) <= 900


def expected_signature(signed: dict[str, str], secret: str) -> str:
    """Recompute it as Alibaba's page says, on its own."""
    query = "&".join(f"{quote(key, safe='~')}={quote(signed[key], safe='~')}" for key in sorted(signed))
    text = "GET&%2F&" + quote(query, safe="~")
    return base64.b64encode(hmac.new((secret + "&").encode(), text.encode(), hashlib.sha1).digest()).decode()


class _Handler(BaseHTTPRequestHandler):
    aliyun: Aliyun

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        status, body = self.aliyun.answer(query) if path == "/" else (404, "{}")
        if body is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_arguments: Any) -> None:
        """A client that gave up is no news."""


@contextmanager
def running_aliyun(clock: Clock | None = None) -> Iterator[Aliyun]:
    """Serve the stand-in on a port of 127.0.0.1."""
    aliyun = Aliyun(clock=clock or SystemClock())
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"aliyun": aliyun}))
    aliyun.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield aliyun
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
