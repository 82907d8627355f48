"""The shortest way to the busiest routes: past the router, which tries all of them, and FastAPI's own wrapping."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import Handler, is_by_hand


class _Way(NamedTuple):
    pattern: re.Pattern[str]
    route: APIRoute
    handle: Handler


class Shortcuts:
    """Calls the handlers of `resolved` endpoints, which render their own failures; all else goes to the router."""

    def __init__(self, app: ASGIApp, routers: Iterable[APIRouter]) -> None:
        self._app = app
        # By method and depth: then hardly more than one is left to try.
        self._ways: dict[tuple[str, int], list[_Way]] = defaultdict(list)
        for route in (route for router in routers for route in router.routes):
            if isinstance(route, APIRoute) and is_by_hand(route.endpoint):
                way = _Way(route.path_regex, route, route.get_route_handler())
                for method in route.methods or ():
                    self._ways[method, route.path.count("/")].append(way)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Behind a prefix the router knows which part of the path is ours.
        if scope["type"] == "http" and not scope.get("root_path"):
            path, method = scope["path"], scope["method"]
            for way in self._ways.get((method, path.count("/")), ()):
                if found := way.pattern.match(path):
                    # As the router does: for what counts requests, and for the endpoint.
                    scope["route"], scope["path_params"] = way.route, found.groupdict()
                    response = await way.handle(Request(scope, receive, send))
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)
