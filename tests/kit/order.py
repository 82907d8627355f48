"""Which worker runs which files, and in which order (`-n`)."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Final

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

# Tests of real processes, a minute a file, that wait for each other's starts on a busy machine: of each row one at a
# time. They come first, since the last of them would run on while the other workers have nothing to do.
ROWS: Final = {
    "tests/e2e/": "programs",
    "tests/faults/": "faults",
    "tests/server/interpret/test_real_servers": "faults",
    "tests/tools/mcp/": "faults",
}


def row_of(nodeid: str) -> str | None:
    """Return the row that a test's file stands in, if any."""
    return next((row for start, row in ROWS.items() if nodeid.startswith(start)), None)


def sort(items: list[pytest.Item]) -> None:
    """Put the rows first, then the files with the most tests."""
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (row_of(item.nodeid) is None, -sizes[item.path], str(item.path)))


def turned(found: Sequence[pytest.Item | pytest.Collector]) -> list[pytest.Item | pytest.Collector]:
    """Begin elsewhere in each worker: each compiles files of its own, and finds the others' compiled."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    begin = len(found) * number // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return [*found[begin:], *found[:begin]]


class Rows(LoadFileScheduling):  # type: ignore[misc]  # xdist's is Any to mypy
    """A file, or a row of files, is one worker's."""

    def _split_scope(self, nodeid: str) -> str:
        return row_of(nodeid) or super()._split_scope(nodeid)
