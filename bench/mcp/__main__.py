"""Plugged-in tools: calls a second, latency and healing, against the bare session; figures, never a pass or a fail.

    python -m bench.mcp [--calls 2000] [--kills 10] [--only hub|graph|healing]

Two cores hold the tool server and the caller.
"""

import argparse
import asyncio

import uvloop

from bench.mcp import graph, healing, plugged
from core import logging


async def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--only", choices=["hub", "graph", "healing"])
    asked = parser.parse_args()
    logging.configure("error", "console")
    if asked.only in (None, "hub"):
        await plugged.measure(asked.calls)
    if asked.only in (None, "graph"):
        await graph.measure(asked.calls // 4)
    if asked.only in (None, "healing"):
        await healing.measure(asked.kills)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
