"""The run engine over HTTP, with authentication, against its floor in the same run; ratios, never a pass or a fail.

    python -m bench.engine [--runs 2000] [--only throughput|tokens|flight|conversation]

Two cores hold the server, PostgreSQL and the client.
"""

import argparse
import asyncio

import uvloop

from bench.engine import conversation, flight, throughput, tokens
from server.database import migrate
from tests.kit.database import create, running_server
from tests.kit.directories import crossable


async def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--only", choices=["throughput", "tokens", "flight", "conversation"])
    asked = parser.parse_args()
    # As it is in use: what is measured, and its floor, wait for the disk at each commit.
    with crossable() as path, running_server(path / "pg", durable=True) as server:
        url = await asyncio.to_thread(create, server, "bench_engine")
        await migrate(url)
        data = path / "data"
        data.mkdir()
        if asked.only in (None, "throughput"):
            await throughput.measure(url, data, asked.runs)
        for name, part in (("tokens", tokens), ("flight", flight), ("conversation", conversation)):
            if asked.only in (None, name):
                await part.measure(url, data)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
