"""Create, detail and list on a table of 100,000 calls: p50, p95, the query plans, and a floor.

    .venv/bin/python bench/calls.py [--records 100000]

The floor is one ASGI round trip through the same middleware to an unknown path, without a database.
C049, C050 and C054 ask for 100, 200 and 50 ms.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import httpx
import psycopg
from psycopg import AsyncConnection

from core import logging
from db.database import acting_for
from server.database import migrate
from tests.kit.app import running_service
from tests.kit.database import create, running_server
from tests.kit.directories import crossable

ROUNDS = 300
SEED = """
INSERT INTO public.call_records (user_id, agent_id, caller_name, caller_app, start_time, end_time, duration_seconds,
                                 hangup_reason, messages, summary)
SELECT %(user)s, %(agent)s, 'caller ' || n, '微信', now() - n * interval '7 minutes',
       now() - n * interval '7 minutes' + interval '5 minutes', 300, 'user',
       jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('你好', 100), 'timestamp', 1)),
       repeat('摘要', 60)
FROM generate_series(1, %(records)s) AS n
"""
PLANS = {
    "list": "SELECT id, summary FROM public.call_records WHERE user_id = %(user)s"
    " ORDER BY start_time DESC, id DESC LIMIT 20",
    "count": "SELECT count(*) FROM public.call_records WHERE user_id = %(user)s",
    "detail": "SELECT * FROM public.call_records WHERE id = %(call)s AND user_id = %(user)s",
}


async def timed(request: Callable[[], Awaitable[httpx.Response]], *, expected: int = 200) -> list[float]:
    """Return the sorted milliseconds of ROUNDS requests, one after another."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        response = await request()
        taken.append((time.perf_counter() - begun) * 1000)
        assert response.status_code == expected, response.text
    return sorted(taken)


async def measure(url: str, data_dir: Path, records: int) -> None:
    async with running_service(url, data_dir, {"LOG_LEVEL": "error"}) as service:
        user = await service.as_user()
        agent = (await user.post("/api/v1/agents", json={"name": "智能客服"})).json()["data"]["id"]
        body = {"agent_id": agent, "caller_name": "张三", "start_time": "2025-11-08T10:00:00Z"}
        call = (await user.post("/api/v1/call-records", json=body)).json()["data"]["id"]
        async with service.runtime.system.pool.connection() as connection:
            cursor = await connection.execute("SELECT user_id FROM public.call_records")
            owner = (await cursor.fetchone() or {})["user_id"]
            parameters = {"user": owner, "agent": agent, "records": records, "call": call}
            await connection.execute(SEED, parameters)
        await asyncio.to_thread(vacuum, url)
        path = "/api/v1/call-records"
        floor = await timed(lambda: user.get("/nowhere"), expected=404)
        results = {
            "create": await timed(lambda: user.post(path, json=body)),
            "detail": await timed(lambda: user.get(f"{path}/{call}")),
            "list, page 1": await timed(lambda: user.get(path)),
            "list, page 1000": await timed(lambda: user.get(path, params={"page": 1000})),
            "list of one day": await timed(
                lambda: user.get(path, params={"start_date": "2026-01-01", "end_date": "2026-01-01"})
            ),
        }
        print(f"{records} records; floor (no database): p50 {statistics.median(floor):.2f} ms")
        for name, taken in results.items():
            p50, p95 = statistics.median(taken), taken[int(len(taken) * 0.95)]
            print(f"{name:16} p50 {p50:6.2f} ms   p95 {p95:6.2f} ms   {p50 / statistics.median(floor):5.1f} × floor")
        # Under the application's role, as the requests were.
        async with acting_for(service.runtime.database.pool, owner) as connection:
            await explain(connection, parameters)


def vacuum(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE public.call_records")


async def explain(connection: AsyncConnection[Any], parameters: dict[str, Any]) -> None:
    for name, statement in PLANS.items():
        cursor = await connection.execute("EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) " + statement, parameters)
        print(f"\n{name}:")
        for row in await cursor.fetchall():
            print("  " + row["QUERY PLAN"])


def main() -> None:
    logging.configure("error", "console")
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, default=100_000)
    chosen = arguments.parse_args()
    with crossable() as folder, running_server(folder / "pg") as server_url:
        url = create(server_url, "bench")
        asyncio.run(migrate(url))
        asyncio.run(measure(url, folder, chosen.records))


main()
