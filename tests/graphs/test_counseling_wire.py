"""Finalize and reply over the vendors' real clients: what goes over the wire, and how often (K26, G68, X027)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.errors import ModelFailed
from core.settings import Settings
from graphs.counseling_finalize import graph as finalize
from graphs.counseling_reply import graph as reply
from nodes.common.resources import Resources, bind
from nodes.counseling.records import CounselingRecords, InMemoryCounselingRecords, Line
from providers.models import Models
from tests.graphs.counseling_setting import ACTIVITY, CHAT, DIARY, HELD, NEW, SESSION, session, tagged
from tests.kit.model_faults import CutStream, MalformedJson, Status
from tests.kit.model_server import ModelServer

ROLES = ("diary", "activity", "ltm", "reply")
REPORT = f'好的。\n```xml\n<activity>{{"summary":"{ACTIVITY["summary"]}"}}</activity>\n```'
SPOKEN = "就是……脸一下子就热了。手也在抖，我把稿子攥得很紧。"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture(params=["openai", "google_genai"])
def provider(request: pytest.FixtureRequest, server: ModelServer) -> str:
    server.reset()
    server.script("diary", DIARY)
    server.script("activity", REPORT)
    server.script("ltm", tagged(NEW))
    server.script("reply", SPOKEN)
    return str(request.param)


@asynccontextmanager
async def asked(server: ModelServer, provider: str, chat: list[Line] | None = None) -> AsyncIterator[None]:
    models = Models(Settings.load(server.environment(provider=provider, roles=ROLES), dotenv=None))
    records = InMemoryCounselingRecords({SESSION: session(chat=chat or CHAT)})
    try:
        with bind(Resources(models=models, repositories={CounselingRecords: records})):
            yield
    finally:
        await models.aclose()


async def finalized(server: ModelServer, provider: str) -> dict[str, Any]:
    async with asked(server, provider):
        output: dict[str, Any] = await finalize.ainvoke({"session_id": SESSION, "assignment": ""})
    return output


async def test_each_stage_is_one_request(server: ModelServer, provider: str) -> None:
    output = await finalized(server, provider)
    assert (output["diary"], output["activity"], output["ltm"]) == (DIARY, {"summary": ACTIVITY["summary"]}, NEW)
    assert {role: server.calls(role) for role in ROLES} == {"diary": 1, "activity": 1, "ltm": 1, "reply": 0}


async def test_the_clients_repeat_nothing_by_themselves(server: ModelServer, provider: str) -> None:
    server.script("diary", Status(503))
    server.script("activity", MalformedJson(), REPORT)
    server.script("ltm", Status(429), "no tags", tagged(NEW))
    output = await finalized(server, provider)
    assert {role: server.calls(role) for role in ROLES} == {"diary": 3, "activity": 2, "ltm": 3, "reply": 0}
    assert output["attempts"] == {"diary": 3, "activity": 2, "ltm": 3}
    assert output["fallbacks"] == ["diary"]


async def test_a_bad_key_is_sent_once_a_stage(server: ModelServer, provider: str) -> None:
    for role in ROLES:
        server.script(role, Status(401))
    output = await finalized(server, provider)
    assert output["attempts"] == {"diary": 1, "activity": 1, "ltm": 1}
    assert output["ltm"] == HELD


async def test_a_stream_that_is_cut_begins_again(server: ModelServer, provider: str) -> None:
    server.script("reply", CutStream(SPOKEN), SPOKEN)
    async with asked(server, provider, [*CHAT, Line(speaker="user", content="身体呢？")]):
        events = [event async for event in reply.astream({"session_id": SESSION}, stream_mode="custom")]
    kinds = [event["type"] for event in events]
    last = len(kinds) - 1 - kinds[::-1].index("reset") if "reset" in kinds else -1
    assert "".join(event["text"] for event in events[last + 1 :]) == SPOKEN
    assert server.calls("reply") == 2


async def test_a_reply_that_never_comes_is_a_failure(server: ModelServer, provider: str) -> None:
    server.script("reply", Status(400))
    async with asked(server, provider, [Line(speaker="user", content="身体呢？")]):
        with pytest.raises(ModelFailed):
            await reply.ainvoke({"session_id": SESSION})
    assert server.calls("reply") == 1
