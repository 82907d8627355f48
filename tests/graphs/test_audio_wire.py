"""The strategy workflow over the vendors' real clients: what goes over the wire, and how often (T02, X027, G11)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from langgraph.graph.state import CompiledStateGraph

from core.clock import SystemClock
from core.settings import Settings
from graphs.audio_strategy import build
from nodes.audio_strategy.records import InMemoryStrategyRecords, SkillShelf, StrategyRecords
from nodes.common.resources import Resources, bind
from providers.models import Models
from tests.graphs.audio_setting import FUSED, GIVEN, SCENE, TITLES, TWO, Shelf, advice, answered, png, session
from tests.kit.model_faults import Body, MalformedJson, Status
from tests.kit.model_protocols import ModelRequest
from tests.kit.model_server import ModelServer
from tools.storage.local import LocalStorage
from tools.storage.model import Storage
from tools.storage.signing import Signer

ROLES = ("scene", "strategy", "fuse", "image")


def coach(request: ModelRequest) -> str:
    return next(answered(advice(title)) for skill, title in TITLES.items() if f"# {skill}" in request.system)


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture(params=["openai", "google_genai"])
def provider(request: pytest.FixtureRequest, server: ModelServer) -> str:
    server.reset()
    server.script("scene", SCENE)
    server.script("strategy", coach)
    server.script("fuse", FUSED)
    server.script("image", png())
    return str(request.param)


async def coached(server: ModelServer, provider: str, folder: Path, **environ: str) -> tuple[dict[str, Any], list[Any]]:
    """Coach once; give the output, and all that followers of the run's messages get."""
    made = server.environment(provider=provider, roles=ROLES) | environ
    models = Models(Settings.load(made, dotenv=None))
    repositories: dict[type, object] = {
        StrategyRecords: InMemoryStrategyRecords({"s": session()}),
        SkillShelf: Shelf(TWO),
        Storage: LocalStorage(folder, Signer(bytes(32), "/"), SystemClock()),
    }
    output: dict[str, Any] = {}
    messages = []
    modes: list[Any] = ["values", "messages"]
    graph: CompiledStateGraph[Any, Any, Any, Any] = build().compile()
    try:
        with bind(Resources(models=models, repositories=repositories)):
            async for mode, data in graph.astream(GIVEN, stream_mode=modes, output_keys=graph.output_channels):
                if mode == "values":
                    output = cast("dict[str, Any]", data)
                else:
                    messages.append(data)
    finally:
        await models.aclose()
    return output, messages


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def calls(server: ModelServer) -> dict[str, int]:
    return {role: server.calls(role) for role in ROLES}


async def test_each_step_is_one_request(server: ModelServer, provider: str, tmp_path: Path) -> None:
    output, messages = await coached(server, provider, tmp_path)
    assert calls(server) == {"scene": 1, "strategy": 2, "fuse": 1, "image": 2}
    assert output["applied_skills"] == ["workplace-a", "workplace-b"]
    assert [one["status"] for one in output["visual_data"]] == ["completed", "completed"]
    # Megabytes of base64 are no message.
    assert messages
    assert all(metadata["langgraph_node"] != "picture" for _message, metadata in messages)


async def test_the_clients_repeat_nothing_by_themselves(server: ModelServer, provider: str, tmp_path: Path) -> None:
    server.script("scene", Status(503), SCENE)
    server.script("fuse", Status(429), MalformedJson(), FUSED)
    server.script("image", Status(500))
    output, _messages = await coached(server, provider, tmp_path)
    assert calls(server) == {"scene": 2, "strategy": 2, "fuse": 3, "image": 6}
    assert [one["status"] for one in output["visual_data"]] == ["failed", "failed"]
    assert len(output["strategies"]) == 2


async def test_a_bad_key_for_pictures_is_sent_once_a_picture(
    server: ModelServer, provider: str, tmp_path: Path
) -> None:
    server.script("image", Status(401))
    output, _messages = await coached(server, provider, tmp_path)
    assert server.calls("image") == 2
    assert [one["image_url"] for one in output["visual_data"]] == [None, None]


async def test_without_an_image_model_nothing_is_painted(server: ModelServer, provider: str, tmp_path: Path) -> None:
    """The default model writes text: it is not asked for pictures."""
    output, _messages = await coached(server, provider, tmp_path, MODEL_IMAGE="", MODEL_DEFAULT=f"{provider}:default")
    assert output["visual_data"] == []
    assert server.calls("default") == server.calls("image") == 0


async def test_what_looks_like_a_picture_and_is_none(server: ModelServer, provider: str, tmp_path: Path) -> None:
    server.script("image", b"<svg onload='alert(1)'></svg>")
    output, _messages = await coached(server, provider, tmp_path)
    assert [one["status"] for one in output["visual_data"]] == ["failed", "failed"]
    assert await asyncio.to_thread(files, tmp_path) == []


async def test_skills_whose_answers_are_cut_off(server: ModelServer, provider: str, tmp_path: Path) -> None:
    """Half of a JSON object is asked for again once, then the skill has failed; the other goes on."""

    def half(request: ModelRequest) -> str | Body:
        return coach(request)[:40] if "# workplace-a" in request.system else coach(request)

    server.script("strategy", half)
    output, _messages = await coached(server, provider, tmp_path)
    assert output["applied_skills"] == ["workplace-b"]
    assert calls(server) == {"scene": 1, "strategy": 3, "fuse": 0, "image": 1}
