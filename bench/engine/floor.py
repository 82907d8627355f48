"""The floor: the same graph in one asyncio process with a stock saver for each worker, and no HTTP.

python -m bench.engine.floor URL CONCURRENCY RUNS    prints runs/s, CPU ms a run and the p50 in ms as JSON
"""

import asyncio
import json
import statistics
import sys
import time
from uuid import uuid4

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from bench.engine.graphs import three_steps
from db.url import for_psycopg, search_path_option


async def main(url: str, concurrency: int, runs: int) -> None:
    taken: list[float] = []

    async def work() -> None:
        connection = await AsyncConnection.connect(
            for_psycopg(url),
            autocommit=True,
            prepare_threshold=0,
            row_factory=dict_row,
            options=search_path_option("checkpoints"),
        )
        async with connection:
            graph = three_steps.compile(checkpointer=AsyncPostgresSaver(conn=connection))
            for _ in range(runs // concurrency):
                begun = time.perf_counter()
                await graph.ainvoke({"steps": []}, {"configurable": {"thread_id": str(uuid4())}})
                taken.append(time.perf_counter() - begun)

    begun, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    print(
        json.dumps({"rate": len(taken) / seconds, "cpu": cpu / len(taken) * 1e3, "p50": statistics.median(taken) * 1e3})
    )


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
