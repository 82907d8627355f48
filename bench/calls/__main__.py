"""Calls over HTTP on a large table, each request beside its bare SQL in the same run; figures, never a pass or a fail.

    python -m bench.calls [--records 1000000] [--users 1000] [--largest 50000] [--rounds 200] [--plans]

One user's requests, one after another: `colloquy serve` in a process of its own, a lean client here, PostgreSQL beside
both. The bare statement is the same SQL under the application's role, prepared, on one open connection; a list is two
statements. The floor is a request for a call that is not there: HTTP, who calls, a transaction and an empty look-up.
Requests, statements and the floor take turns, so that all see the same machine. `ratio` is request to statement;
`above` is what the request takes beyond the floor, to the statement. Both are of the medians and of the 95th
percentiles. `CPU` is the server's own time for a request, on Linux.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import uvloop
from psycopg import AsyncConnection

from bench.calls.cases import RECORDS, Case, cases
from bench.calls.fill import Size, fill
from bench.engine.client import Client
from db.roles import role_url
from server.database import migrate
from tests.kit.database import create, running_server
from tests.kit.directories import crossable
from tests.kit.processes import environment, served

WARM = 20
Pair = tuple[float, float]


async def milliseconds(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


def quantiles(values: list[float]) -> Pair:
    ordered = sorted(values)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.95)]


def cpu_milliseconds(pid: int) -> float:
    """Return how long a process' main thread has been on a core; 0 where the system does not tell."""
    told = Path(f"/proc/{pid}/schedstat")
    return int(told.read_text().split()[0]) / 1e6 if told.exists() else 0.0


async def measure(case: Case, client: Client, bare: AsyncConnection[Any], rounds: int, pid: int) -> None:
    """Print a line: the request, the bare SQL, the floor, how they compare, and a tenth of the seed's limit."""

    async def ask() -> Any:
        return await (client.get(case.path) if case.body is None else client.post(case.path, case.body))

    async def execute() -> None:
        for statement in case.statements:
            cursor = await bare.execute(statement.encode(), case.values, prepare=True)
            await cursor.fetchall()

    async def ask_for_nothing() -> Any:
        return await client.get(f"{RECORDS}/{UUID(int=0)}", status="404")

    for _ in range(WARM):
        answer = await ask()
        await execute()
        await ask_for_nothing()
    if case.rows is not None and len(answer["data"]["records"]) != case.rows:
        raise RuntimeError(f"{case.name}: {len(answer['data']['records'])} records")
    taken, alone, floor, cpu = [], [], [], 0.0
    for _ in range(rounds):
        before = cpu_milliseconds(pid)
        taken.append(await milliseconds(ask))
        cpu += cpu_milliseconds(pid) - before
        alone.append(await milliseconds(execute))
        floor.append(await milliseconds(ask_for_nothing))
    print(line(case, quantiles(taken), quantiles(alone), quantiles(floor), cpu / rounds))


def line(case: Case, taken: Pair, alone: Pair, floor: Pair, cpu: float) -> str:
    """Return what is told of a case: medians and 95th percentiles in milliseconds, and how they compare."""
    ratio = [one / sql for one, sql in zip(taken, alone, strict=True)]
    above = [(one - least) / sql for one, least, sql in zip(taken, floor, alone, strict=True)]
    times = "   ".join(
        f"{name} {p50:6.2f} {p95:6.2f}" for name, (p50, p95) in {"taken": taken, "SQL": alone, "floor": floor}.items()
    )
    verdict = "kept" if taken[1] <= case.limit / 10 else "NOT KEPT"
    return (
        f"{case.name:32}{times} ms   CPU {cpu:5.2f}   ratio {ratio[0]:4.1f} {ratio[1]:4.1f}"
        f"   above {above[0]:4.1f} {above[1]:4.1f}   tenth of the limit {case.limit / 10:3.0f} {verdict}"
    )


async def explain(case: Case, bare: AsyncConnection[Any]) -> None:
    for statement in case.statements:
        if statement.lstrip().startswith("INSERT"):
            continue
        cursor = await bare.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}".encode(), case.values)
        print(f"\n{case.name}:")
        for (line,) in await cursor.fetchall():
            print("  " + line)


async def run(url: str, data: Path, size: Size, rounds: int, *, plans: bool) -> None:
    environ = environment(data, DATABASE_URL=url, LOG_LEVEL="warning")
    with served(environ, data / "log") as server:
        client = await Client(server.address, (data / "api-key").read_text()).open()
        agents = [await client.post("/api/v1/agents", {"name": f"智能客服{n}"}) for n in (1, 2)]
        agent = UUID(agents[0]["data"]["id"])
        user = await asyncio.to_thread(owner_of, url, agent)
        client.close()
        seconds = await asyncio.to_thread(fill, url, size, user)
        client = await Client(server.address, (data / "api-key").read_text()).open()
        print(f"{size.records} calls of {size.users} users, {size.largest} of them one's; filled in {seconds:.0f} s")
        newest = (await client.get(f"{RECORDS}?page_size=1"))["data"]
        print(f"the user has {newest['pagination']['total']} calls\n")
        call = UUID(newest["records"][0]["id"])
        async with await AsyncConnection.connect(role_url(url, "app"), autocommit=True) as bare:
            await bare.execute("SELECT set_config('app.user_id', %s, false)", (str(user),))
            chosen = list(cases(user, agent, call))
            # What adds rows comes last.
            for case in chosen[1:] + chosen[:1]:
                await measure(case, client, bare, rounds, server.process.pid)
            for case in chosen if plans else []:
                await explain(case, bare)
        client.close()


def owner_of(url: str, agent: UUID) -> UUID:
    with psycopg.connect(url) as connection:
        [owner] = connection.execute("SELECT user_id FROM public.agents WHERE id = %s", (agent,)).fetchone() or [None]
    assert isinstance(owner, UUID)
    return owner


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--largest", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--plans", action="store_true", help="print the query plans, too")
    asked = parser.parse_args()
    size = Size(asked.records, asked.users, asked.largest)
    with crossable() as path, running_server(path / "pg") as server:
        url = await asyncio.to_thread(create, server, "bench_calls")
        await migrate(url)
        data = path / "data"
        data.mkdir()
        await run(url, data, size, asked.rounds, plans=asked.plans)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
