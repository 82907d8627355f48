"""What the protocol has and this server has not answers with a sentence, to its callers only."""

from typing import Any

import httpx

from tests.kit.cases import together
from tests.server.runs.protocol.conftest import NOBODY, Person, refusal

PATHS = [
    ("POST", "/runs/batch"),
    ("POST", "/runs/cancel"),
    ("POST", "/runs/crons"),
    ("POST", "/runs/crons/search"),
    ("POST", "/runs/crons/count"),
    ("POST", f"/threads/{NOBODY}/runs/crons"),
    ("GET", f"/runs/crons/{NOBODY}"),
    ("PATCH", f"/runs/crons/{NOBODY}"),
    ("DELETE", f"/runs/crons/{NOBODY}"),
    ("PUT", "/store/items"),
    ("GET", "/store/items"),
    ("DELETE", "/store/items"),
    ("POST", "/store/items/search"),
    ("POST", "/store/namespaces"),
    ("GET", f"/threads/{NOBODY}/stream"),
    ("POST", f"/threads/{NOBODY}/commands"),
    ("POST", f"/threads/{NOBODY}/stream/events"),
    ("POST", "/mcp"),
    ("POST", f"/a2a/{NOBODY}"),
]


@together(("method", "path"), PATHS)
async def test_it_says_so(me: Person, anonymous: httpx.AsyncClient, method: str, path: str) -> None:
    body: Any = {"anything": 1} if method != "GET" else None
    status, sentence = refusal(await me.http.request(method, path, json=body))
    assert status == 501
    assert sentence.endswith(".")
    assert refusal(await anonymous.request(method, path, json=body))[0] == 401
