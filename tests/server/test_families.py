"""Every family's failures, to the last key: golden answers of an application with one endpoint a family (K01–K03)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from core.errors import Conflict, Forbidden, ModelFailed, TimedOut, TooManyRequests, Unauthenticated, Unavailable
from server import errors
from server.errors import family_router
from server.families import AUDIO, CALLS, CHAT, COUNSELING, EXECUTE, FAMILIES, INTERPRET, PLATFORM, Family, family_of
from server.middleware import Surroundings

RAISED = {
    "unauthenticated": Unauthenticated("缺少有效的身份凭证"),
    "forbidden": Forbidden("没有权限", code="STUDENT_LOCKED_FOR_WEEK"),
    "conflict": Conflict("正在进行"),
    "limited": TooManyRequests("请求过于频繁", retry_after=7),
    "model": ModelFailed("模型暂时不可用"),
    "down": Unavailable("服务暂不可用"),
    "late": TimedOut("超时"),
    "unreachable": psycopg.OperationalError("connection to server at 10.0.0.1 failed: password=hunter2"),
    "crash": RuntimeError("boom: password=hunter2"),
}
RULE = "参数错误：name：缺少此项"
CRASHED = "服务器内部错误，请稍后重试"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


def application(*, debug: bool = False) -> FastAPI:
    app = FastAPI()
    for family in FAMILIES:
        router = family_router(family, family.prefixes[0] + "/golden", (401,))

        @router.post("/{kind}")
        async def endpoint(kind: str, body: Body) -> dict[str, str]:
            if kind in RAISED:
                raise RAISED[kind]
            return {"name": body.name}

        app.include_router(router)
    errors.install(app, debug=debug)
    app.add_middleware(Surroundings, max_bytes=1000)
    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=application(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def shaped(family: Family, status: int, code: str, message: str, *, detail: str | None = None) -> dict[str, Any]:
    """The golden shapes, written down once more and by hand."""
    kinds = {
        400: "bad_request",
        401: "unauthorized",
        403: "forbidden",
        404: "not_found",
        405: "method_not_allowed",
        409: "conflict",
        413: "payload_too_large",
        429: "too_many_requests",
        500: "internal",
        502: "bad_gateway",
        503: "unavailable",
        504: "timeout",
    }
    flat = {"success": False, "error": message, "error_code": "INTERNAL_ERROR" if code == "INTERNAL" else code}
    golden: dict[str, dict[str, Any]] = {
        "audio": {"detail": message},
        "interpret": {"error": {"code": code, "msg": message}},
        "execute": {"success": False, "error": {"code": code, "message": message}},
        "calls": {"success": False, "error": {"code": code, "message": message}},
        "chat": flat | ({"detail": detail} if detail else {}),
        "counseling": {"error": kinds[status], "code": code.lower(), "message": message} if status in kinds else {},
    }
    return golden[family.name]


def check(response: httpx.Response, family: Family, status: int, code: str, message: str) -> None:
    detail = response.headers["x-request-id"] if status >= 500 else None
    assert response.status_code == status
    # As text: the order of the keys is part of the contract.
    assert json.loads(response.text, object_pairs_hook=list) == json.loads(
        json.dumps(shaped(family, status, code, message, detail=detail)), object_pairs_hook=list
    )


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest) -> Family:
    family: Family = request.param
    return family


def path(family: Family, kind: str) -> str:
    return f"{family.prefixes[0]}/golden/{kind}"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unauthenticated", 401, "UNAUTHORIZED"),
        ("forbidden", 403, "STUDENT_LOCKED_FOR_WEEK"),
        ("conflict", 409, "CONFLICT"),
        ("limited", 429, "RATE_LIMITED"),
        ("down", 503, "UNAVAILABLE"),
        ("late", 504, "TIMEOUT"),
    ],
)
async def test_our_own_errors(client: httpx.AsyncClient, family: Family, kind: str, status: int, code: str) -> None:
    response = await client.post(path(family, kind), json={"name": "x"})
    check(response, family, status, code, str(RAISED[kind]))
    assert response.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert response.headers.get("retry-after") == ("7" if status == 429 else None)


async def test_a_broken_rule(client: httpx.AsyncClient, family: Family) -> None:
    """400 everywhere but in 000, which keeps 422 with one sentence (K03)."""
    status = 422 if family is AUDIO else 400
    check(await client.post(path(family, "x"), json={}), family, status, "INVALID_PARAM", RULE)
    headers = {"content-type": "application/json"}
    response = await client.post(path(family, "x"), content=b"{", headers=headers)
    check(response, family, status, "INVALID_PARAM", "请求体不是有效的 JSON")
    response = await client.post(path(family, "x"), content=b"\xff{", headers=headers)
    assert response.status_code in (status, 400)
    assert response.status_code < 500


@pytest.mark.parametrize("key", ["k" * 900, "\\ud800", "\\u0000", "机密"])
async def test_an_unknown_key_of_any_kind(client: httpx.AsyncClient, family: Family, key: str) -> None:
    body = f'{{"name": "x", "{key}": 1}}'.encode()
    response = await client.post(path(family, "x"), content=body, headers={"content-type": "application/json"})
    assert response.status_code == family.malformed.status
    assert len(response.content) < 600


async def test_no_such_path_and_no_such_method(client: httpx.AsyncClient, family: Family) -> None:
    check(await client.post(family.prefixes[0] + "/nowhere/at/all"), family, 404, "NOT_FOUND", "没有这个地址")
    response = await client.put(path(family, "x"))
    check(response, family, 405, "METHOD_NOT_ALLOWED", "这个地址不支持该请求方法")


async def test_a_body_over_the_limit(client: httpx.AsyncClient, family: Family) -> None:
    response = await client.post(path(family, "x"), json={"name": "x" * 2000})
    check(response, family, 413, "TOO_LARGE", "请求体过大")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    response = await client.post(path(family, "x"), content=chunks(), headers={"content-type": "application/json"})
    check(response, family, 413, "TOO_LARGE", "请求体过大")


async def test_a_crash_shows_nothing_of_itself(client: httpx.AsyncClient, family: Family) -> None:
    response = await client.post(path(family, "crash"), json={"name": "x"})
    check(response, family, 500, "INTERNAL", CRASHED)
    assert "hunter2" not in response.text


async def test_a_crash_outside_of_all_routes_is_rendered_too(family: Family) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("boom: password=hunter2")

    transport = httpx.ASGITransport(app=Surroundings(broken, seconds=5))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post(path(family, "x"), json={"name": "x"})
    check(response, family, 500, "INTERNAL", CRASHED)
    assert "hunter2" not in response.text


async def test_a_database_that_does_not_answer(client: httpx.AsyncClient, family: Family) -> None:
    response = await client.post(path(family, "unreachable"), json={"name": "x"})
    assert response.status_code == 503
    assert "hunter2" not in response.text
    assert "服务暂不可用" in response.text


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_a_model_failure_that_no_service_caught(client: httpx.AsyncClient, family: Family) -> None:
    """G67's column of statuses."""
    expected = {INTERPRET: (502, "MODEL_FAIL"), CHAT: (500, "INTERNAL")}
    status, code = expected.get(family, (502, "MODEL_FAILED"))
    check(await client.post(path(family, "model"), json={"name": "x"}), family, status, code, "模型暂时不可用")


async def test_debug_shows_the_reason_in_the_detail_only() -> None:
    """W28: an internal error's text is for DEBUG alone."""
    transport = httpx.ASGITransport(app=application(debug=True), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        chat = await client.post(path(CHAT, "crash"), json={"name": "x"})
        assert chat.json()["detail"] == "RuntimeError: boom: password=hunter2"
        assert "hunter2" not in (await client.post(path(CALLS, "crash"), json={"name": "x"})).text


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/api/v1/auth/login", AUDIO),
        ("/auth/request-code", COUNSELING),
        ("/v1/api/interpret", INTERPRET),
        ("/v1/api/interpretation", EXECUTE),
        ("/v1/api/tools", EXECUTE),
        ("/api/v1/chat/new", CHAT),
        ("/assistant", COUNSELING),
        ("/assistant/students", COUNSELING),
        ("/assistants", PLATFORM),
        ("/assistants/search", PLATFORM),
        ("/api/v1/call-recordsX", PLATFORM),
        ("/metrics", PLATFORM),
        ("/", PLATFORM),
    ],
)
def test_families_own_whole_segments(path: str, family: Family) -> None:
    assert family_of(path) is family


def test_no_path_belongs_to_two_families() -> None:
    # But for 001, whose two shapes share one prefix: the narrower one comes first.
    owners = [(p, f.name) for f in FAMILIES for p in f.prefixes]
    assert len({p for p, _ in owners}) == len(owners)
    for prefix, name in owners:
        others = {family.name for family in FAMILIES if family.owns(prefix)} - {name}
        assert others <= ({"execute"} if name == "interpret" else set())
