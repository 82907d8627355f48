"""What deep chat costs beside its models.

    python -m bench.chat [--requests 200] [--conversations 200] [--turns 500]

The models are a stand-in that answers after a fixed delay, in this process; the server is the application over ASGI on
an embedded PostgreSQL. All figures are wall clock on this machine.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from core import logging
from core.roles import Role
from nodes.common.attempts import ask
from nodes.common.resources import Resources, bind
from nodes.meta_workflow.prompting import about_quick
from providers.models import MODEL_KEY, ROLE_KEY, Models
from server.database import migrate
from tests.kit.app import Service, running_service
from tests.kit.database import create, running_server
from tests.kit.deep_chat import scripts
from tests.kit.directories import crossable
from tests.kit.fake_models import Script, ScriptedModel
from tests.kit.listening import listening

INIT = "/api/v1/frontend/session/init"
CHAT = "/api/v1/frontend/chat"
WISH = "我想推广一款新的降噪耳机"
# As many as a prompt holds.
YOUNG_TURNS = 20


class DelayedModel(ScriptedModel):
    """Answers from a script after a fixed delay."""

    delay: float = 0.0

    def __init__(self, *script: Script, **limits: Any) -> None:
        super().__init__(*script, **limits)

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(self.delay)
        return await super()._agenerate(messages, *args, **kwargs)

    async def _astream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(self.delay)
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk


class DelayedModels(Models):
    """One delayed model for each role."""

    delay = 0.0

    async def chat(self, role: Role) -> BaseChatModel:
        known = scripts().get(role)
        answer = known if isinstance(known, str) else "好的。"
        metadata = {ROLE_KEY: role, MODEL_KEY: "bench"}
        return DelayedModel(answer, delay=self.delay, chunk=200, metadata=metadata)


def milliseconds(values: Sequence[float]) -> str:
    ordered = sorted(value * 1000 for value in values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {statistics.median(ordered):8.1f} ms   p99 {p99:8.1f} ms   ({len(ordered)})"


async def somebody(service: Service) -> dict[str, str]:
    body = (await service.client.get(INIT)).json()
    return {"user_id": body["user_id"], "session_id": body["session_id"]}


async def seconds_of(call: Callable[[], Coroutine[Any, Any, Any]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def quick(service: Service, requests: int) -> None:
    """Quick mode against the bare call of the model with the same prompt."""
    DelayedModels.delay = 0.02
    bound = Resources(models=service.runtime.models)

    async def bare() -> None:
        with bind(bound):
            await ask("fast", about_quick("你好", {}, []))

    who = await somebody(service)

    async def asked() -> None:
        response = await service.client.post(CHAT, json=who | {"message": "你好"})
        assert response.status_code == 200, response.text

    for warm in (bare, asked):
        for _ in range(10):
            await warm()
    # By turns: what else the machine does, both feel alike.
    floor: list[float] = []
    served: list[float] = []
    busy = [0.0, 0.0]
    for _ in range(requests):
        for which, (call, taken) in enumerate(((bare, floor), (asked, served))):
            began = time.process_time()
            taken.append(await seconds_of(call))
            busy[which] += time.process_time() - began
    over = statistics.median(served) - statistics.median(floor)
    print(f"quick, the bare call       {milliseconds(floor)}")
    print(f"quick, the request         {milliseconds(served)}")
    spent = (busy[1] - busy[0]) / requests * 1000
    print(f"quick, overhead            p50 {over * 1000:8.1f} ms   (target: below 10; {spent:.1f} ms of it computing)")


async def first_event(service: Service, requests: int) -> None:
    """Deep mode: from the request to the first visible event, on a real connection, the models without delay."""
    DelayedModels.delay = 0.0
    found = []
    async with listening(service) as address, httpx.AsyncClient(base_url=address, timeout=60) as client:
        for _ in range(requests + 3):
            body = (await somebody(service)) | {"message": WISH, "mode": "deep"}
            began = time.perf_counter()
            async with client.stream("POST", CHAT, json=body, params={"stream": "true"}) as response:
                seen = None
                async for line in response.aiter_lines():
                    if line.startswith("event: ") and seen is None:
                        seen = time.perf_counter() - began
            found.append(seen or float("nan"))
    print(f"deep, first visible event  {milliseconds(found[3:])}   (target: below 100)")


async def many(service: Service, conversations: int) -> None:
    """Deep conversations at once on one worker; each of six model calls takes 200 ms."""
    DelayedModels.delay = 0.2
    people = [await somebody(service) for _ in range(conversations)]
    began = time.perf_counter()

    async def talk(who: dict[str, str]) -> float:
        asked = time.perf_counter()
        response = await service.client.post(CHAT, json=who | {"message": WISH, "mode": "deep"}, timeout=200)
        assert response.status_code == 200, response.text
        return time.perf_counter() - asked

    taken = await asyncio.gather(*(talk(who) for who in people))
    total = time.perf_counter() - began
    print(f"deep, {conversations} at once          {milliseconds(taken)}   all in {total:.1f} s")


async def long_conversation(service: Service, turns: int) -> None:
    """What a turn costs in a conversation that is long, against one that is not; the model without delay."""
    DelayedModels.delay = 0.0
    for mode in ("chat", "deep"):
        old, young = await somebody(service), await somebody(service)
        await turns_of(service, old, mode, turns)
        await turns_of(service, young, mode, YOUNG_TURNS)
        # By turns: what else the machine does, both feel alike.
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(max(turns // 10, 1)):
            for who, found in zip((young, old), taken, strict=True):
                found.extend(await turns_of(service, who, mode, 1))
        early, late = (statistics.median(found) for found in taken)
        print(
            f"{mode}, after {turns} turns      p50 {late * 1000:.1f} ms, after {YOUNG_TURNS} {early * 1000:.1f} ms: "
            f"{late / early:.2f} times"
        )


async def turns_of(service: Service, who: dict[str, str], mode: str, turns: int) -> list[float]:
    taken = []
    for number in range(turns):
        body = who | {"message": f"{WISH}，第{number}次", "mode": mode}
        taken.append(await seconds_of(lambda body=body: service.client.post(CHAT, json=body, timeout=60)))  # type: ignore[misc]
    return taken


@asynccontextmanager
async def service_of(url: str, path: Path) -> AsyncIterator[Service]:
    limits = {f"RATE_LIMIT_{name}": "10000000/minute" for name in ("SESSIONS", "CHAT", "UPLOADS")}
    async with running_service(url, path, limits) as service:
        # Scripted answers in place of the offline model's rules, which take time of their own.
        models = DelayedModels(service.runtime.settings)
        object.__setattr__(service.runtime, "models", models)
        executor = service.runtime.engine.executor
        assert executor is not None
        object.__setattr__(executor._parts, "models", models)  # noqa: SLF001 - nothing else may change them
        yield service


async def main(options: argparse.Namespace) -> None:
    logging.configure("error", "json")
    with crossable() as root, running_server(root / "pg") as server, tempfile.TemporaryDirectory() as data:
        url = await asyncio.to_thread(create, server, "bench")
        await migrate(url)
        async with service_of(url, Path(data)) as service:
            await quick(service, options.requests)
            await first_event(service, min(options.requests, 50))
            await many(service, options.conversations)
            await long_conversation(service, options.turns)
    print(json.dumps(vars(options)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--turns", type=int, default=500)
    asyncio.run(main(parser.parse_args()))
