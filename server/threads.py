"""The threads of a process: where LangGraph executes nodes that are not async, and we what would block the loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

# For what is not a node: imports of graphs, drawings, files.
_OTHERS: Final = 32


def widen(runs: int) -> None:
    """Give the running loop a thread for each of `runs` runs; asyncio's own default is 4 more than there are cores.

    Threads are made when they are needed. Otherwise a few sync nodes that wait would hold up all other runs.
    """
    threads = ThreadPoolExecutor(max_workers=runs + _OTHERS, thread_name_prefix="node")
    asyncio.get_running_loop().set_default_executor(threads)
