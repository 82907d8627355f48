"""Where the time of one summary goes: HTTP request, queue, graph, checkpoints, model, and the floor.

    .venv/bin/python bench/summary_run.py [--rounds 100]

The floor is the same graph with the same offline model and LangGraph's in-memory saver: no HTTP, no queue, no database.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import httpx
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from checkpoints.run_saver import RunSaver
from core import logging
from core.settings import Settings
from nodes.common.resources import Resources, bind
from providers.models import Models
from providers.offline.model import OfflineChatModel
from server.calls.summary_records import SummaryRecords
from server.database import migrate
from server.runs import workflows
from server.runs.engine import RunEngine
from server.runs.execution import Execution
from tests.kit.app import running_service
from tests.kit.database import create, running_server
from tests.kit.directories import crossable

CALL = json.loads((ROOT / "examples" / "calls" / "02-delivery-complaint.json").read_text(encoding="utf-8"))
# What is timed, by the name it has in the table. Writes of checkpoints overlap with nothing: durability is "sync".
TIMED: dict[str, tuple[type, str]] = {
    "accept and claim (row)": (RunEngine, "start"),
    "read the thread's state": (RunEngine, "state"),
    "graph, checkpoints included": (Execution, "_outcome"),
    "  read the last checkpoint": (RunSaver, "aget_tuple"),
    "  write checkpoints": (RunSaver, "aput"),
    "  write pending writes": (RunSaver, "aput_writes"),
    "  offline model": (OfflineChatModel, "_answer"),
    "  read the call": (SummaryRecords, "messages"),
    "  store the summary": (SummaryRecords, "save_summary"),
    "finish (events, usage, row)": (Execution, "_finish"),
}


@contextmanager
def timed() -> Iterator[dict[str, list[float]]]:
    """Note the milliseconds of each call of TIMED within the block."""
    taken: dict[str, list[float]] = defaultdict(list)
    kept = {name: getattr(kind, method) for name, (kind, method) in TIMED.items()}
    for name, (kind, method) in TIMED.items():
        setattr(kind, method, _noting(kept[name], taken[name]))
    try:
        yield taken
    finally:
        for name, (kind, method) in TIMED.items():
            setattr(kind, method, kept[name])


def _noting(function: Any, taken: list[float]) -> Any:
    def note(begun: float) -> None:
        taken.append((time.perf_counter() - begun) * 1000)

    if not asyncio.iscoroutinefunction(function):

        def plain(*arguments: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                note(begun)

        return plain

    async def awaited(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return await function(*arguments, **options)
        finally:
            note(begun)

    return awaited


async def floor(rounds: int) -> float:
    """Return the p50 in milliseconds of the bare graph."""
    graph: Any = workflows.load(ROOT / "langgraph.json")["call_summary"].copy(update={"checkpointer": InMemorySaver()})
    taken = []
    with bind(Resources(models=Models(Settings.load({}, dotenv=None)))):
        for number in range(rounds):
            config: RunnableConfig = {"configurable": {"thread_id": str(number)}}
            begun = time.perf_counter()
            await graph.ainvoke({"messages": CALL["messages"]}, config)
            taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


async def record(user: httpx.AsyncClient) -> str:
    agent = (await user.post("/api/v1/agents", json={"name": "智能客服"})).json()["data"]["id"]
    body = {"agent_id": agent, "start_time": CALL["start_time"]}
    call = str((await user.post("/api/v1/call-records", json=body)).json()["data"]["id"])
    await user.patch(f"/api/v1/call-records/{call}", json={"messages": CALL["messages"]})
    return call


async def measure(url: str, data_dir: Path, rounds: int) -> None:
    async with running_service(url, data_dir) as service:
        user = await service.as_user()
        calls = [await record(user) for _ in range(rounds)]
        await user.post(f"/api/v1/call-records/{calls[0]}/generate-summary")
        whole = []
        with timed() as taken:
            for call in calls:
                begun = time.perf_counter()
                response = await user.post(f"/api/v1/call-records/{call}/generate-summary")
                whole.append((time.perf_counter() - begun) * 1000)
                assert response.status_code == 200, response.text
        async with service.runtime.system.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY started_at - created_at) AS queued"
                " FROM platform.runs"
            )
            queued = (await cursor.fetchone() or {})["queued"].total_seconds() * 1000
    least = await floor(rounds)
    p50 = statistics.median(whole)
    print(f"{rounds} summaries, one after another; p50 {p50:.1f} ms, p95 {sorted(whole)[int(rounds * 0.95)]:.1f} ms")
    print(f"floor (bare graph, in memory): p50 {least:.1f} ms; ratio {p50 / least:.1f}\n")
    print(f"{'part':32} {'calls':>6} {'ms a summary':>13} {'share':>6}")
    print(f"{'accepted to claimed (queue)':32} {1:6.1f} {queued:13.2f} {queued / p50:6.0%}")
    for name, found in taken.items():
        if found:
            print(f"{name:32} {len(found) / rounds:6.1f} {sum(found) / rounds:13.2f} {sum(found) / rounds / p50:6.0%}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=100)
    rounds = arguments.parse_args().rounds
    logging.configure("error", "console")
    with crossable() as folder, running_server(folder / "pg") as server_url:
        url = create(server_url, "bench")
        asyncio.run(migrate(url))
        asyncio.run(measure(url, folder, rounds))


main()
