"""`/ok` and `/info`: what clients ask before anything else."""

from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from db.database import Database
from tests.kit.app import Service, running_service
from tests.kit.cases import together
from tests.server.runs.protocol.conftest import refusal

ASKED = {"access-control-request-method": "DELETE"}


@pytest.mark.parametrize("path", ["/ok", "/ok?check_db=1"])
async def test_ok_is_public(anonymous: httpx.AsyncClient, path: str) -> None:
    response = await anonymous.get(path)
    assert (response.status_code, response.json()) == (200, {"ok": True})


async def test_ok_looks_at_the_database_when_asked(
    service: Service, anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Database("postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(service.runtime.database, "pool", gone.pool)
    assert refusal(await anonymous.get("/ok", params={"check_db": "true"}))[0] == 503
    assert (await anonymous.get("/ok")).status_code == 200


async def test_bad_input(anonymous: httpx.AsyncClient) -> None:
    assert refusal(await anonymous.get("/ok", params={"check_db": "perhaps"}))[0] == 422


async def test_info_says_what_there_is(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.get("/info")
    assert response.status_code == 200
    assert response.json() == {
        "version": version("colloquy"),
        "langgraph_py_version": version("langgraph"),
        "flags": {"assistants": True, "crons": False, "langsmith": False},
        "host": {"kind": "self-hosted"},
    }


async def test_unknown_paths_and_methods_have_the_protocols_shape(anonymous: httpx.AsyncClient) -> None:
    assert refusal(await anonymous.get("/threads/x/y/z"))[0] == 404
    assert refusal(await anonymous.delete("/info"))[0] == 405


@together(("method", "path"), [("GET", "/ok"), ("POST", "/threads"), ("POST", "/nowhere")])
async def test_browsers_may_read_the_pages_headers(service: Service, method: str, path: str) -> None:
    client = await service.as_user()
    response = await client.request(method, path, json={}, headers={"origin": "https://page.example"})
    exposed = set(response.headers["access-control-expose-headers"].split(", "))
    assert {"Location", "Content-Location", "X-Pagination-Total", "X-Pagination-Next", "X-Request-Id"} <= exposed
    assert response.headers["x-request-id"]


async def test_pages_that_are_allowed_may_ask_before(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path, {"CORS_ORIGINS": "https://page.example"}) as service:
        statuses = [
            (await service.client.options("/threads/x", headers={"origin": origin, **ASKED})).status_code
            for origin in ("https://page.example", "https://other.example")
        ]
    assert statuses == [200, 400]


async def test_answers_that_a_cache_may_keep_say_that_they_depend_on_the_page(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/ok")).headers["vary"] == "Origin"
