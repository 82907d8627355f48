"""What the protocol has and this server has not: each path says so (501), instead of being unknown."""

from typing import NoReturn

from fastapi import Depends

from server.runs.protocol.routing import caller, protocol_router, refuse

router = protocol_router("")
router.dependencies.append(Depends(caller))

_WHY: dict[str, list[tuple[str, str]]] = {
    "Runs cannot be started in batches: start them one by one.": [("POST", "/runs/batch")],
    "Runs cannot be cancelled in bulk: cancel them one by one.": [("POST", "/runs/cancel")],
    "There are no crons: start runs from your own schedule, or use after_seconds.": [
        ("POST", "/runs/crons"),
        ("POST", "/runs/crons/search"),
        ("POST", "/runs/crons/count"),
        ("POST", "/threads/{thread_id}/runs/crons"),
        ("GET", "/runs/crons/{cron_id}"),
        ("PATCH", "/runs/crons/{cron_id}"),
        ("DELETE", "/runs/crons/{cron_id}"),
    ],
    "There is no store.": [
        ("PUT", "/store/items"),
        ("GET", "/store/items"),
        ("DELETE", "/store/items"),
        ("POST", "/store/items/search"),
        ("POST", "/store/namespaces"),
    ],
    "A thread's runs cannot be followed as one stream: follow each run's own.": [
        ("GET", "/threads/{thread_id}/stream")
    ],
    "Version 2 of the protocol is not offered: use runs/stream.": [
        ("POST", "/threads/{thread_id}/commands"),
        ("POST", "/threads/{thread_id}/stream/events"),
    ],
    "Graphs are not offered as MCP tools.": [("GET", "/mcp"), ("POST", "/mcp"), ("DELETE", "/mcp")],
    "Graphs are not offered over A2A.": [("POST", "/a2a/{assistant_id}")],
}


def _offer(method: str, path: str, sentence: str) -> None:
    async def refused() -> NoReturn:
        """Not offered."""
        refuse(sentence)

    name = f"{method} {path}".lower()
    router.add_api_route(path, refused, methods=[method], response_model=dict[str, str], name=name)


for sentence, routes in _WHY.items():
    for method, path in routes:
        _offer(method, path, sentence)
