"""Tests a running server as a frontend uses it: init, quick mode, deep mode, an expired session, streaming (D041).

    python scripts/test_frontend_api.py --base-url http://127.0.0.1:8000

Exits with 0 when all cases pass. With FRONTEND_AUTH=token give an API key: --token, or COLLOQUY_API_KEY.
"""

import argparse
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx

INIT = "/api/v1/frontend/session/init"
NEW = "/api/v1/chat/new"
CHAT = "/api/v1/frontend/chat"
# Clients of deep mode wait 150 s or more (D037).
TIMEOUT_SECONDS = 150.0
SECTIONS = ["thinking_narrative", "output", "evaluation", "suggestion"]
EXPIRED = {"success": False, "error": "会话已过期，请重新初始化", "error_code": "SESSION_EXPIRED"}


class Failed(Exception):
    """A case found something else than the contract says."""


def expect(holds: object, what: str) -> None:
    """Raise unless something holds.

    Raises:
        Failed: it does not.
    """
    if not holds:
        raise Failed(what)


class Frontend:
    """A frontend with a user and a session."""

    def __init__(self, client: httpx.Client, ttl_seconds: float | None) -> None:
        self._client = client
        self._ttl_seconds = ttl_seconds
        self.user_id = self.session_id = ""

    def cases(self) -> dict[str, Callable[[], str]]:
        """Return the cases by name, in their order."""
        return {
            "session init": self.init,
            "chat mode": self.chat,
            "deep mode": self.deep,
            "session expiry": self.expiry,
            "streaming": self.streaming,
        }

    def _say(self, message: str, mode: str, **more: Any) -> httpx.Response:
        body = {"message": message, "session_id": self.session_id, "user_id": self.user_id, "mode": mode}
        return self._client.post(CHAT, json=body | more)

    def init(self) -> str:
        """Make a user and a session."""
        response = self._client.get(INIT)
        expect(response.status_code == httpx.codes.OK, f"status {response.status_code}: {response.text[:200]}")
        body = response.json()
        expect(list(body) == ["success", "user_id", "session_id", "thread_id"], f"keys {list(body)}")
        expect(body["success"] is True, "success is not true")
        is_login = "authorization" in self._client.headers
        expect(is_login or re.fullmatch(r"frontend_user_\d{10}_[0-9a-f]{6}", body["user_id"]), "user_id's form")
        self.user_id, self.session_id = body["user_id"], body["session_id"]
        return f"{self.user_id}, session {self.session_id}"

    def chat(self) -> str:
        """Ask quickly."""
        response = self._say("你好", "chat")
        expect(response.status_code == httpx.codes.OK, f"status {response.status_code}: {response.text[:200]}")
        body = response.json()
        expect(list(body) == ["success", "response", "thinking_process", "session_id", "mode"], f"keys {list(body)}")
        expect(body["response"], "no response")
        expect((body["thinking_process"], body["mode"]) == ([], "chat"), "thinking_process or mode")
        expect(body["session_id"] == self.session_id, "another session")
        return str(body["response"])

    def deep(self) -> str:
        """Ask deeply."""
        response = self._say("我想推广一款新的降噪耳机", "deep", tags=["科技", "年轻人"])
        expect(response.status_code == httpx.codes.OK, f"status {response.status_code}: {response.text[:200]}")
        return _deep_answer(response.json())

    def expiry(self) -> str:
        """Ask in a session that there is not; with --ttl, in one that has expired. Then do what a client should."""
        session_id, waited = str(uuid.uuid4()), ""
        if self._ttl_seconds is not None:
            session_id, waited = self.session_id, f" after {self._ttl_seconds:g} s"
            time.sleep(self._ttl_seconds + 0.5)
        response = self._say("你好", "chat", session_id=session_id)
        status_expired = 440
        expect(response.status_code == status_expired, f"status {response.status_code}: {response.text[:200]}")
        expect(response.json() == EXPIRED, f"body {response.text[:200]}")
        renewed = self._client.post(NEW, json={"user_id": self.user_id}).json()
        expect(list(renewed) == ["success", "session_id", "thread_id"], f"keys {list(renewed)}")
        self.session_id = renewed["session_id"]
        expect(self._say("你好", "chat").status_code == httpx.codes.OK, "the new session does not work")
        return f"440{waited}, and a new session of the same user"

    def streaming(self) -> str:
        """Ask deeply, and hear it grow."""
        body = {"message": "写一句降噪耳机的广告语", "session_id": self.session_id, "user_id": self.user_id}
        headers = {"accept": "text/event-stream"}
        began = time.monotonic()
        first = None
        seen: dict[str, int] = {}
        with self._client.stream("POST", CHAT, json=body | {"mode": "deep"}, headers=headers) as response:
            expect(response.status_code == httpx.codes.OK, f"status {response.status_code}")
            expect(response.headers["content-type"].startswith("text/event-stream"), "content type")
            last: tuple[str, Any] = ("none", None)
            for last in _events(response):
                first = first or time.monotonic() - began
                seen[last[0]] = seen.get(last[0], 0) + 1
        expect(last[0] == "result", f"the last event is {last[0]}: {last[1]}")
        expect(seen.get("phase"), "no phase came before the answer")
        _deep_answer(last[1])
        return f"first event after {first or 0:.2f} s; " + ", ".join(f"{name} × {n}" for name, n in seen.items())


def _deep_answer(body: dict[str, Any]) -> str:
    keys = ["success", "response", "thinking_process", "content_sections", "session_id", "mode", "intent"]
    expect(list(body) == keys, f"keys {list(body)}")
    expect(list(body["content_sections"]) == SECTIONS, f"sections {list(body['content_sections'])}")
    expect(body["response"] and body["content_sections"]["output"], "no text")
    expect(body["mode"] == "deep" and isinstance(body["intent"], str), "mode or intent")
    expect(all(list(step) == ["phase", "content"] for step in body["thinking_process"]), "thinking_process")
    return f"{len(body['response'])} characters, phases {', '.join(s['phase'] for s in body['thinking_process'])}"


def _events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    event = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))


def main() -> int:
    """Run the cases; return the program's exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default=os.environ.get("COLLOQUY_API_KEY"), help="for FRONTEND_AUTH=token")
    parser.add_argument("--ttl", type=float, help="the server's CHAT_SESSION_TTL_SECONDS, if it is worth waiting for")
    arguments = parser.parse_args()
    headers = {"authorization": f"Bearer {arguments.token}"} if arguments.token else {}
    failures = 0
    with httpx.Client(base_url=arguments.base_url, headers=headers, timeout=TIMEOUT_SECONDS) as client:
        for name, case in Frontend(client, arguments.ttl).cases().items():
            began = time.monotonic()
            try:
                said = case()
            except (Failed, httpx.HTTPError, ValueError, KeyError) as error:
                failures += 1
                print(f"FAILED  {name}: {error or type(error).__name__}")
            else:
                print(f"passed  {name} ({time.monotonic() - began:.2f} s): {said}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
