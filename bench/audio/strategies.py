"""A strategy beside its models: stand-ins that answer after a fixed delay, and no pictures."""

import asyncio
import json
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage

from bench.audio.uploads import UPLOAD, VTT
from core.roles import Role
from nodes.common.attempts import ask
from nodes.common.resources import Resources, bind
from providers.models import MODEL_KEY, ROLE_KEY, Models
from server.database import migrate
from tests.graphs.audio_setting import advice, answered
from tests.graphs.recording_setting import REVIEW
from tests.kit.app import Service, running_service
from tests.kit.fake_models import Script, ScriptedModel

DELAY = 0.5
# Scene, two skills side by side, fusion.
ROUNDS: tuple[tuple[Role, ...], ...] = (("scene",), ("strategy", "strategy"), ("fuse",))
SKILLS = ["workplace-managing-up", "workplace-collaboration"]
ANSWERS: dict[Role, str] = {
    "review": REVIEW,
    "scene": json.dumps({"scene_category": "workplace", "scene_confidence": 0.9}),
    "strategy": answered(advice("先说结论", quotes=["Friday"]), advice("给出选择", quotes=["Friday"])),
    "fuse": answered(advice("先说结论", quotes=["Friday"], skills=SKILLS)),
}
SESSIONS = "/api/v1/tasks/sessions"


class DelayedModel(ScriptedModel):
    """Answers after the delay."""

    def __init__(self, *script: Script, **limits: Any) -> None:
        super().__init__(*script, **limits)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(DELAY)
        return await super()._agenerate(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(DELAY)
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


class DelayedModels(Models):
    """One delayed model for each role."""

    async def chat(self, role: Role) -> BaseChatModel:
        return DelayedModel(ANSWERS.get(role, "好的。"), chunk=200, metadata={ROLE_KEY: role, MODEL_KEY: "bench"})


async def bare(models: Models) -> float:
    """Ask the same models the same number of times, and do nothing else."""
    began = time.perf_counter()
    with bind(Resources(models=models, repositories={})):
        for roles in ROUNDS:
            await asyncio.gather(*(ask(role, [HumanMessage("?")]) for role in roles))
    return time.perf_counter() - began


async def measure(url: str, folder: Path, count: int) -> None:
    await migrate(url)
    # A language model by default and none for pictures: none are painted.
    settings = {"JWT_SECRET": "x" * 32, "RATE_LIMIT_UPLOADS": "100000/minute", "OPENAI_API_KEY": "none"}
    async with running_service(url, folder / "strategies", settings | {"MODEL_DEFAULT": "openai:none"}) as service:
        models = DelayedModels(service.runtime.settings)
        object.__setattr__(service.runtime, "models", models)
        executor = service.runtime.engine.executor
        assert executor is not None
        object.__setattr__(executor._parts, "models", models)  # noqa: SLF001 - nothing else may change them
        client = await service.as_user()
        print(f"\nstrategy of two skills, fused; models answer after {DELAY} s")
        for at_once in (1, 10):
            await show(service, client, models, count, at_once)


async def show(service: Service, client: httpx.AsyncClient, models: Models, count: int, at_once: int) -> None:
    floor: list[float] = []
    whole: list[float] = []
    used = 0.0
    sessions = await analysed(client, count)
    for first in range(0, count, at_once):
        group = sessions[first : first + at_once]
        floor += await asyncio.gather(*(bare(models) for _ in group))
        began = time.process_time()
        whole += await asyncio.gather(*(coached(client, session_id) for session_id in group))
        used += time.process_time() - began
    low, high = statistics.median(floor), statistics.median(whole)
    print(
        f"  {at_once:2} at once: p50 {high:.3f} s, bare calls {low:.3f} s; ratio {high / low:.3f}, "
        f"{(high - low) * 1000:.0f} ms of our own, {used / count * 1000:.0f} ms of a processor ({count})"
    )


async def analysed(client: httpx.AsyncClient, count: int) -> list[str]:
    """Return recordings that wait for their strategies."""
    recording = (Path(__file__).parents[2] / "examples" / "audio" / "recordings" / "rent-goes-up.ogg").read_bytes()
    found = []
    for _ in range(count):
        files = {"file": ("a.ogg", recording), "transcript": ("t.vtt", VTT)}
        response = await client.post(UPLOAD, files=files)
        found.append(str(response.raise_for_status().json()["data"]["session_id"]))
    for session_id in found:
        await until_analysed(client, session_id)
    return found


async def until_analysed(client: httpx.AsyncClient, session_id: str) -> None:
    while True:
        state = (await client.get(f"{SESSIONS}/{session_id}/status")).json()["data"]
        if state["status"] == "completed":
            return
        assert state["status"] != "failed", state
        await asyncio.sleep(0.05)


async def coached(client: httpx.AsyncClient, session_id: str) -> float:
    began = time.perf_counter()
    data = (await client.post(f"{SESSIONS}/{session_id}/strategies")).raise_for_status().json()["data"]
    seconds = time.perf_counter() - began
    assert sorted(data["applied_skills"]) == sorted(SKILLS), data
    assert data["visual_data"] == [], data
    return seconds
