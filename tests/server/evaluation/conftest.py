"""The command logs to the runner's output, which is closed after it; other tests of the process log elsewhere."""

from collections.abc import Iterator

import pytest

from core import logging


@pytest.fixture(autouse=True)
def _logs_go_back() -> Iterator[None]:
    yield
    logging.configure("debug", "json")
