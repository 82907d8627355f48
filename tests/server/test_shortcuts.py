"""The busiest routes are reached past the router, and mean the same there."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from server.api import ROUTERS
from server.errors import is_by_hand
from server.shortcuts import Shortcuts
from tests.kit.app import running_service


class Router:
    """Stands for the rest of the application."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        self.paths.append(scope["path"])


async def ask(shortcuts: Shortcuts, path: str, method: str = "POST", root_path: str = "") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "root_path": root_path, "headers": []}
    scope["app"] = Request
    await shortcuts(scope, receive, send)
    return sent


async def test_every_route_that_is_resolved_by_hand_has_one() -> None:
    router = Router()
    shortcuts = Shortcuts(router, ROUTERS)
    routes = [route for one in ROUTERS for route in one.routes if isinstance(route, APIRoute)]
    ways = {(route.path, method) for route in routes if is_by_hand(route.endpoint) for method in route.methods or ()}
    assert {("/threads", "POST"), ("/runs/stream", "POST"), ("/api/v1/call-records/statistics", "GET")} <= ways
    for path, method in ways:
        # Nobody calls: it is the route itself that refuses.
        [start, _] = await ask(shortcuts, path.format(thread_id=UUID(int=1), record_id=UUID(int=1)), method)
        assert start["status"] == 401
    assert router.paths == []


async def test_all_else_goes_to_the_router() -> None:
    router = Router()
    shortcuts = Shortcuts(router, ROUTERS)
    await ask(shortcuts, "/threads", "GET")
    await ask(shortcuts, "/threads/search")
    await ask(shortcuts, "/threads/x/runs/wait/")
    await ask(shortcuts, "/prefix/threads", root_path="/prefix")
    await shortcuts({"type": "lifespan", "path": ""}, Request.receive, print)  # type: ignore[arg-type]
    assert router.paths == ["/threads", "/threads/search", "/threads/x/runs/wait/", "/prefix/threads", ""]


async def test_they_are_counted_by_their_routes(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path) as service:
        client: httpx.AsyncClient = await service.as_user()
        thread = (await client.post("/threads", json={})).json()["thread_id"]
        await client.post(f"/threads/{thread}/runs/wait", json={"assistant_id": "none"})
        told = (await client.get("/metrics")).text
    assert 'route="/threads/{thread_id}/runs/wait",status="404"' in told
